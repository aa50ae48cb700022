from netboot.config import Settings
from netboot.operations.setting_words import GROUPS, OTHER, form_of, in_groups


def test_every_setting_has_a_form_and_none_is_shown_twice():
    names = in_groups()

    assert sorted(names) == sorted(set(Settings.model_fields) - {"data"})
    known = [name for labels in GROUPS.values() for name in labels]
    assert set(known) <= set(Settings.model_fields)
    assert len(known) == len(set(known))


def test_what_can_only_be_chosen_is_a_choice_with_words():
    form = form_of("tls", Settings.model_fields["tls"])

    assert (form.group, form.label) == ("TLS", "TLS")
    assert dict(form.choices)["files"] == "Certificate from files"
    assert form_of("interface", Settings.model_fields["interface"]).choices == ()


def test_numbers_say_what_they_may_be():
    assert form_of("web_port", Settings.model_fields["web_port"]).numbers == (1, 65535)
    assert form_of("relays", Settings.model_fields["relays"]).numbers is None


def test_a_setting_without_a_group_is_in_the_last_one():
    form = form_of("tftp_new_thing", Settings.model_fields["http_port"])

    assert (form.group, form.label) == (OTHER, "Tftp new thing")
