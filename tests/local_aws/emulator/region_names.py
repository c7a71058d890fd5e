"""Gap: a stack's resources are named by stack and logical id alone, so one stack in two Regions of an account shares its roles.

On AWS each stack draws its names. Here account and Region are drawn from, too: the names of two stacks differ, and a stack's names
stay the same over its updates. A name that the template gives is still the template's.

A function that CloudFormation creates ended the processes of all functions with its name, in every account and Region. It ends those
of its own account and Region.

Guards: test_one_stack_in_two_regions_has_two_sets_of_names, test_a_deployment_ends_no_processes_of_another_region.
"""

from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners


def install() -> None:
    """Mix account and Region into generated names, and end only the processes of one Region."""
    physical_name, end_processes = provisioners._physical_name, lambda_svc.invalidate_worker

    def name_of_place(stack: str, logical_id: str, *, seeded: bool = True, **options: Any) -> Any:
        seed = provisioners._NAME_SEED.get() if seeded else ""
        token = provisioners._NAME_SEED.set(f"{get_account_id()}:{get_region()}:{seed}")
        try:
            return physical_name(stack, logical_id, **options)
        finally:
            provisioners._NAME_SEED.reset(token)

    def end_processes_of_place(name: str, qualifier: str | None = None, account: str = "", region: str = "") -> None:
        end_processes(name, qualifier, account or get_account_id(), region or get_region())

    provisioners._physical_name = name_of_place
    lambda_svc.invalidate_worker = end_processes_of_place
