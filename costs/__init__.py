"""What a deployment costs a month, read from the templates that will be deployed."""
