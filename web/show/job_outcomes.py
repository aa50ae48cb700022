"""What a finished job did, as one sentence."""

from netboot.errors import sentence
from netboot.operations import jobs, lab
from netboot.operations.jobs import JobKind


def job_outcome(job: jobs.JobView) -> str:
    """One sentence about a job that succeeded."""
    result, image = job.result, str(job.result.get("image", ""))
    label = f"{image} v{result.get('version')}"
    words = f"{job.title}: done"
    match job.kind:
        case JobKind.BUILD_VERSION:
            same = f"Nothing to build: {label} already has all changes"
            words = f"{label} is built" if result.get("built", True) else same
        case JobKind.UPDATE_POINTS:
            reach = str(result.get("reach", ""))
            same = f"{label} was already served. Nothing changed"
            words = f"{label} is served. {reach}".strip() if result.get("changed", True) else same
        case JobKind.VERIFY_CONTENT:
            words = f"All files of {label} are intact"
        case JobKind.IMPORT_IMAGE:
            source = str(result.get("source", ""))
            words = f"{image} is imported" + (f": {source}" if source else "")
        case JobKind.BACK_UP:
            words = f"The backup {result.get('file', '')} is made"
        case JobKind.MAKE_LAB_PE:
            words = f"Ready: {', '.join(map(str, result.get('images', ())))}"
        case JobKind.BOOT_TEST_MACHINE:
            words = lab.came_to(job) or words
    return sentence(words)
