"""What CloudFormation itself calls while it makes, changes and deletes a stack."""
