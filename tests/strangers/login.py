"""Every way of being somebody in Azure that needs no person, by Microsoft's own client. Each bearer opens the vault."""

import os

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.keyvault.secrets import SecretClient

VAULT, TENANT, CLIENT = (os.environ[name] for name in ("VAULT", "TENANT", "CLIENT"))


def opens_the_vault(credential):
    with SecretClient(VAULT, credential) as client:
        names = [secret.name for secret in client.list_properties_of_secrets()]
    assert names == [os.environ["SECRET"]], names


def secret_of_an_application():
    opens_the_vault(ClientSecretCredential(TENANT, CLIENT, os.environ["CLIENT_SECRET"]))


def certificate_of_an_application():
    opens_the_vault(CertificateCredential(TENANT, CLIENT, os.environ["CERTIFICATE"]))
    opens_the_vault(CertificateCredential(TENANT, CLIENT, os.environ["CERTIFICATE"], send_certificate_chain=True))


def identity_of_a_pod():
    opens_the_vault(WorkloadIdentityCredential(tenant_id=TENANT, client_id=CLIENT, token_file_path=os.environ["POD_TOKEN"]))


def identity_of_a_virtual_machine():
    opens_the_vault(ManagedIdentityCredential())


def identity_of_a_container():
    # The platform hands these to the container's processes; without them the client takes this for a virtual machine.
    os.environ["IDENTITY_ENDPOINT"] = os.environ["CONTAINER_ENDPOINT"]
    os.environ["IDENTITY_HEADER"] = os.environ["CONTAINER_HEADER"]
    opens_the_vault(ManagedIdentityCredential())


def refusals_are_understood():
    for tenant, client, secret, words in [
        (TENANT, CLIENT, "wrong", "AADSTS7000215"),
        (TENANT, "5c2f1ab0-0000-4000-8000-0000000000ff", "wrong", "AADSTS700016"),
        ("5c2f1ab0-0000-4000-8000-0000000000fe", CLIENT, "wrong", "check your tenant name"),
    ]:
        try:
            ClientSecretCredential(tenant, client, secret).get_token("https://vault.azure.net/.default")
        except ClientAuthenticationError as error:
            assert words in str(error), error
        else:
            raise AssertionError(f"{words} was expected")


for visit in [
    secret_of_an_application,
    certificate_of_an_application,
    identity_of_a_pod,
    identity_of_a_virtual_machine,
    identity_of_a_container,
    refusals_are_understood,
]:
    visit()
    print("done:", visit.__name__)
