import pytest

from sandbox.permissions.policy import Call, UnknownConditionError, allows, statements_of

READ = Call("s3:GetObject", "arn:aws:s3:::data/runs/1/model.tar.gz")


def allow(action: object, resource: object, **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        (allow("s3:GetObject", "arn:aws:s3:::data/runs/*"), True),
        (allow("s3:getobject", "*"), True),  # actions know no case
        (allow("s3:Get*", "arn:aws:s3:::data/runs/?/model.tar.gz"), True),
        (allow(["s3:PutObject", "s3:GetObject"], ["arn:aws:s3:::other", "arn:aws:s3:::data/*"]), True),
        (allow("s3:GetObject", "arn:aws:s3:::DATA/*"), False),  # resources do
        (allow("s3:GetObject", "arn:aws:s3:::data"), False),
        (allow("s3:GetObjectVersion", "*"), False),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, False),
        ({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::data/models/*"}, True),
    ],
)
def test_statement_allows_what_its_patterns_cover(statement: dict[str, object], allowed: bool) -> None:
    assert allows([statement], READ) is allowed


def test_nothing_is_allowed_without_a_statement() -> None:
    assert not allows([], READ)


def test_deny_wins_over_allow() -> None:
    denied = allow("*", "*") | {"Effect": "Deny"}
    assert not allows([allow("*", "*"), denied], READ)


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}, True),
        ({"StringEquals": {"iam:passedtoservice": ["x", "sagemaker.amazonaws.com"]}}, True),  # keys know no case
        ({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}, False),
        ({"StringNotEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}, True),
        ({"StringLike": {"iam:PassedToService": "sage*"}}, True),
        ({"StringEquals": {"aws:SourceAccount": "1"}}, False),  # not given
        ({"StringNotEquals": {"aws:SourceAccount": "1"}}, True),
        ({"Null": {"aws:SourceAccount": "true"}}, True),
        ({"Null": {"iam:PassedToService": True}}, False),
    ],
)
def test_condition_is_compared_with_the_calls_context(condition: dict[str, object], allowed: bool) -> None:
    call = Call("iam:PassRole", "arn:aws:iam::1:role/job", (("iam:PassedToService", "sagemaker.amazonaws.com"),))
    assert allows([allow("iam:PassRole", "*", Condition=condition)], call) is allowed


def test_unknown_condition_is_refused_rather_than_guessed() -> None:
    with pytest.raises(UnknownConditionError, match="NumericLessThan"):
        allows([allow("*", "*", Condition={"NumericLessThan": {"s3:TlsVersion": 1.2}})], READ)


def test_document_with_a_single_statement_is_a_list_of_one() -> None:
    assert statements_of('{"Statement": {"Effect": "Allow"}}') == [{"Effect": "Allow"}]
