"""In-memory stand-ins for AWS; tests/unit/test_fake_dynamodb.py holds them to the truth."""
