import pytest

from netboot.operations import jobs
from web.show.job_outcomes import job_outcome

DONE = {"image": "PE", "version": 2}


@pytest.mark.parametrize(
    ("kind", "result", "words"),
    [
        ("build_version", {**DONE, "built": True}, "PE v2 is built."),
        (
            "build_version",
            {**DONE, "built": False},
            "Nothing to build: PE v2 already has all changes.",
        ),
        (
            "update_distribution_points",
            {**DONE, "changed": True, "reach": "It is assigned to 1 machine; 1 machine gets it."},
            "PE v2 is served. It is assigned to 1 machine; 1 machine gets it.",
        ),
        (
            "update_distribution_points",
            {**DONE, "changed": False},
            "PE v2 was already served. Nothing changed.",
        ),
        ("verify_content", DONE, "All files of PE v2 are intact."),
        ("import_image", {"image": "PE"}, "PE is imported."),
        (
            "import_image",
            {"image": "PE", "source": "Windows PE 10.0.26100.1 for x64"},
            "PE is imported: Windows PE 10.0.26100.1 for x64.",
        ),
        ("clean_up", {}, "The job: done."),
    ],
)
def test_what_a_job_did_is_one_sentence(site, kind, result, words):
    job = jobs.submit(site, kind, {}, title="The job")
    site.jobs.finish(job.id, "succeeded", result=result)

    assert words == job_outcome(jobs.get_job(site, job.id))
