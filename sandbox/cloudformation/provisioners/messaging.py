"""SNS and SQS."""

from __future__ import annotations

from typing import Any

from sandbox.cloudformation.provisioner import Outcome, Provisioner, ProvisioningError, Request, provisions

_TOPIC_ATTRIBUTES = ("DisplayName", "FifoTopic", "KmsMasterKeyId", "SignatureVersion", "TracingConfig")
_SUBSCRIPTION_ATTRIBUTES = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
)
_NOT_QUEUE_ATTRIBUTES = frozenset({"QueueName", "Tags"})


@provisions("AWS::SNS::Topic")
class Topic(Provisioner):
    """A topic, with the subscriptions it declares itself."""

    replaced_by = frozenset({"TopicName", "FifoTopic"})
    updated_in_place = frozenset({*_TOPIC_ATTRIBUTES, "Tags"})

    def create(self, request: Request) -> Outcome:
        """CreateTopic; a name in use fails."""
        name = request.physical_name("TopicName", longest=256)
        arn = request.arn("sns", name)
        topics = request.client("sns").get_paginator("list_topics").paginate().search("Topics[].TopicArn")
        if arn in topics:
            raise ProvisioningError(f"{name} already exists")
        attributes = _chosen(request, _TOPIC_ATTRIBUTES)
        request.call("sns", "create_topic", "Tags", Name=name, Attributes=attributes)
        for subscription in request.properties.get("Subscription", []):
            request.call("sns", "subscribe", TopicArn=arn, **subscription)
        return Outcome(arn, {"TopicArn": arn, "TopicName": name})

    def update(self, request: Request) -> Outcome:
        """SetTopicAttributes and TagResource."""
        arn = request.physical_id
        for name in _TOPIC_ATTRIBUTES:
            if request.changed(name):
                value = request.properties.get(name, "")
                request.call("sns", "set_topic_attributes", TopicArn=arn, AttributeName=name, AttributeValue=value)
        if request.changed("Tags") and request.properties.get("Tags"):
            request.call("sns", "tag_resource", "Tags", ResourceArn=arn)
        return Outcome(arn, {"TopicArn": arn, "TopicName": arn.rsplit(":", 1)[1]})

    def delete(self, request: Request) -> None:
        """DeleteTopic."""
        request.call("sns", "delete_topic", TopicArn=request.physical_id)


@provisions("AWS::SNS::TopicPolicy")
class TopicPolicy(Provisioner):
    """The policy of topics; it cannot be taken away again, only replaced, so deletion leaves it (as CloudFormation)."""

    replaced_by = frozenset()

    def create(self, request: Request) -> Outcome:
        """SetTopicAttributes."""
        self._put(request)
        return Outcome(f"{request.stack_name}-{request.logical_id}")

    def update(self, request: Request) -> Outcome:
        """SetTopicAttributes."""
        self._put(request)
        return Outcome(request.physical_id)

    def delete(self, request: Request) -> None:
        """Leave the policy to the topic's own deletion."""

    def _put(self, request: Request) -> None:
        document = request.properties["PolicyDocument"]
        for arn in request.properties["Topics"]:
            request.call("sns", "set_topic_attributes", TopicArn=arn, AttributeName="Policy", AttributeValue=document)


@provisions("AWS::SNS::Subscription")
class Subscription(Provisioner):
    """A subscription to a topic."""

    replaced_by = frozenset({"Endpoint", "Protocol", "TopicArn"})
    updated_in_place = frozenset(_SUBSCRIPTION_ATTRIBUTES)

    def create(self, request: Request) -> Outcome:
        """Subscribe."""
        made = request.call(
            "sns",
            "subscribe",
            *("Endpoint", "Protocol", "TopicArn"),
            Attributes=_chosen(request, _SUBSCRIPTION_ATTRIBUTES),
            ReturnSubscriptionArn=True,
        )
        return Outcome(made["SubscriptionArn"], {"Arn": made["SubscriptionArn"]})

    def update(self, request: Request) -> Outcome:
        """SetSubscriptionAttributes."""
        arn = request.physical_id
        for name in _SUBSCRIPTION_ATTRIBUTES:
            if request.changed(name):
                value = request.properties.get(name, "")
                request.call(
                    "sns",
                    "set_subscription_attributes",
                    SubscriptionArn=arn,
                    AttributeName=name,
                    AttributeValue=value,
                )
        return Outcome(arn, {"Arn": arn})

    def delete(self, request: Request) -> None:
        """Unsubscribe."""
        request.call("sns", "unsubscribe", SubscriptionArn=request.physical_id)


@provisions("AWS::SQS::Queue")
class Queue(Provisioner):
    """A queue; all its attributes change in place."""

    replaced_by = frozenset({"QueueName", "FifoQueue"})

    def create(self, request: Request) -> Outcome:
        """CreateQueue; a name in use fails."""
        name = request.physical_name("QueueName", longest=80)
        if request.client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls"):
            raise ProvisioningError(f"{name} already exists")
        attributes = _chosen(request, request.properties.keys() - _NOT_QUEUE_ATTRIBUTES)
        url = request.call("sqs", "create_queue", "Tags", QueueName=name, Attributes=attributes)["QueueUrl"]
        return self._outcome(request, url)

    def update(self, request: Request) -> Outcome:
        """SetQueueAttributes."""
        attributes = _chosen(request, request.properties.keys() - _NOT_QUEUE_ATTRIBUTES)
        request.call("sqs", "set_queue_attributes", QueueUrl=request.physical_id, Attributes=attributes)
        return self._outcome(request, request.physical_id)

    def delete(self, request: Request) -> None:
        """DeleteQueue."""
        request.call("sqs", "delete_queue", QueueUrl=request.physical_id)

    def _outcome(self, request: Request, url: str) -> Outcome:
        name = url.rsplit("/", 1)[1]
        return Outcome(url, {"Arn": request.arn("sqs", name), "QueueName": name, "QueueUrl": url})


@provisions("AWS::SQS::QueuePolicy")
class QueuePolicy(Provisioner):
    """The policy of queues."""

    replaced_by = frozenset()

    def create(self, request: Request) -> Outcome:
        """SetQueueAttributes."""
        self._put(request, request.properties["PolicyDocument"])
        return Outcome(f"{request.stack_name}-{request.logical_id}")

    def update(self, request: Request) -> Outcome:
        """SetQueueAttributes."""
        self._put(request, request.properties["PolicyDocument"])
        return Outcome(request.physical_id)

    def delete(self, request: Request) -> None:
        """Set an empty policy."""
        self._put(request, "")

    def _put(self, request: Request, document: Any) -> None:
        for url in request.properties["Queues"]:
            request.call("sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": document})


def _chosen(request: Request, names: Any) -> dict[str, Any]:
    return {name: request.properties[name] for name in names if name in request.properties}
