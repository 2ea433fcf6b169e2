"""Elastic Container Registry; images are never pushed here, the bootstrap stack merely owns a repository."""

from __future__ import annotations

from sandbox.cloudformation.provisioner import Outcome, Provisioner, Request, provisions


@provisions("AWS::ECR::Repository")
class Repository(Provisioner):
    """A repository with its two policies."""

    replaced_by = frozenset({"RepositoryName", "EncryptionConfiguration"})
    updated_in_place = frozenset(
        {"EmptyOnDelete", "ImageScanningConfiguration", "ImageTagMutability", "LifecyclePolicy", "RepositoryPolicyText"}
    )

    def create(self, request: Request) -> Outcome:
        """CreateRepository, then the policies."""
        name = request.physical_name("RepositoryName", longest=256, lower=True)
        request.call_with_all(
            "ecr",
            "create_repository",
            *("RepositoryName", "LifecyclePolicy", "RepositoryPolicyText", "EmptyOnDelete"),
            RepositoryName=name,
        )
        return self._put_policies(request, name)

    def update(self, request: Request) -> Outcome:
        """Put what changed."""
        name = request.physical_id
        if request.changed("ImageTagMutability"):
            mutability = request.properties.get("ImageTagMutability", "MUTABLE")
            request.call("ecr", "put_image_tag_mutability", RepositoryName=name, ImageTagMutability=mutability)
        if request.changed("ImageScanningConfiguration"):
            scanning = request.properties.get("ImageScanningConfiguration", {"ScanOnPush": False})
            arguments = {"RepositoryName": name, "ImageScanningConfiguration": scanning}
            request.call("ecr", "put_image_scanning_configuration", **arguments)
        return self._put_policies(request, name)

    def delete(self, request: Request) -> None:
        """DeleteRepository; one with images stays unless EmptyOnDelete."""
        force = request.properties.get("EmptyOnDelete", False)
        request.call("ecr", "delete_repository", RepositoryName=request.physical_id, Force=force)

    def _put_policies(self, request: Request, name: str) -> Outcome:
        if request.changed("RepositoryPolicyText"):
            if text := request.properties.get("RepositoryPolicyText"):
                request.call("ecr", "set_repository_policy", RepositoryName=name, PolicyText=text)
            else:
                request.call("ecr", "delete_repository_policy", RepositoryName=name)
        if request.changed("LifecyclePolicy"):
            if policy := request.properties.get("LifecyclePolicy"):
                request.call("ecr", "put_lifecycle_policy", RepositoryName=name, **policy)
            else:
                request.call("ecr", "delete_lifecycle_policy", RepositoryName=name)
        registry = request.arn("ecr", "").split(":")[4]
        uri = f"{registry}.dkr.ecr.{request.runtime.region}.amazonaws.com/{name}"
        return Outcome(name, {"Arn": request.arn("ecr", f"repository/{name}"), "RepositoryUri": uri})
