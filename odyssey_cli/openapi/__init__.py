"""What each API takes and answers: one description per API, made into OpenAPI with its template.

The routes are the template's, the limits are the handlers' own constants, and a test finds the
problems of each operation in the handlers' code (tests/unit/test_openapi.py). The descriptions are
here and not in lambda_src because no function needs them: a sentence that changes here deploys
nothing.
"""
