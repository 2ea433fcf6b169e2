"""The data plane: InvokeEndpoint and deployed REST APIs, in a process of its own.

It knows nothing of moto, boto3 or CloudFormation: the sandbox's server pushes routes and API snapshots through
``/_sandbox/``, and reads back the metrics that AWS would publish.
"""
