"""The project's name, which is a tag of everything it deploys; loads without the CDK."""

PROJECT = "aws-odyssey"
