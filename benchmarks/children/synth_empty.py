"""The smallest CDK app that is valid: what jsii, Node and the CDK's own libraries take."""

import aws_cdk as cdk

app = cdk.App()
cdk.CfnResource(cdk.Stack(app, "Empty"), "Topic", type="AWS::SNS::Topic")
app.synth()
