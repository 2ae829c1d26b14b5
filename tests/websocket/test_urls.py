"""What a connection URL says: whose it is, or why it is nobody's."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.identity import Identity
from ocpp_twisted.websocket.urls import BadId, Templates, UnknownPath


class DefaultTemplatesTests(SynchronousTestCase):
    def identify(self, target: str) -> tuple[str, str]:
        return tuple(Templates().identify(target))

    def test_out_of_the_box(self) -> None:
        for target, identity in {
            "/CP1": ("CP1", ""),
            "/ocpp/CP1": ("CP1", ""),
            "/ocpp/acme/CP1": ("CP1", "acme"),
            "/ocpp": ("ocpp", ""),
        }.items():
            self.assertEqual(self.identify(target), identity, target)

    def test_percent_encoding_is_undone_once_and_in_its_segment(self) -> None:
        for target, identity in {
            "/ocpp/a%2Fb": ("a/b", ""),
            "/ocpp/a/b": ("b", "a"),
            "/ocpp/a%252Fb": ("a%2Fb", ""),
            "/ocpp/%C3%BCber/S%C3%BCd%20%E2%9A%A1": ("Süd ⚡", "über"),
            "/ocpp/a;b=c": ("a;b=c", ""),
            "/ocpp/a%3Fb": ("a?b", ""),
            "/ocpp/a+b": ("a+b", ""),
            "/ocpp/..": ("..", ""),
        }.items():
            self.assertEqual(self.identify(target), identity, target)

    def test_the_query_says_nothing(self) -> None:
        self.assertEqual(self.identify("/ocpp/CP1?token=a/b&id=CP2"), ("CP1", ""))

    def test_a_whole_url_in_the_request_line(self) -> None:
        self.assertEqual(self.identify("ws://csms.example:9000/ocpp/CP1"), ("CP1", ""))

    def test_no_such_path(self) -> None:
        for target in ("/", "", "*", "/ocpp/", "/ocpp//CP1", "/CP1/", "/a/CP1", "/ocpp/a/b/c"):
            self.assertRaises(UnknownPath, self.identify, target)

    def test_no_id_that_can_be_used(self) -> None:
        for target in (
            "/ocpp/%00",
            "/ocpp/a%0d%0ab",
            "/ocpp/%7F",
            "/ocpp/%C2%85",
            "/ocpp/%FF",
            "/ocpp/%ED%A0%80",
            "/ocpp/%00/CP1",
            "/ocpp/" + "x" * 256,
        ):
            self.assertRaises(BadId, self.identify, target)

    def test_percent_signs_that_encode_nothing(self) -> None:
        for target in ("/ocpp/100%", "/ocpp/%zz", "/ocpp/%4", "/ocpp/%%41", "/ocpp/%/CP1"):
            self.assertRaises(BadId, self.identify, target)

    def test_names_do_not_collide(self) -> None:
        targets = ("/ocpp/a/b%2Fc", "/ocpp/a%2Fb/c", "/ocpp/a%2Fb%2Fc", "/ocpp/c", "/ocpp/A/b%2Fc")
        self.assertEqual(len({self.identify(target) for target in targets}), len(targets))

    def test_an_identity_reads_as_it_was_connected(self) -> None:
        self.assertEqual(str(Identity("CP1", "acme")), "acme/CP1")
        self.assertEqual(str(Identity.of("CP1")), "CP1")


class OwnTemplatesTests(SynchronousTestCase):
    def test_the_first_that_fits_decides(self) -> None:
        templates = Templates(["/a/{id}", "/{name}/{id}"])
        self.assertEqual(templates.identify("/a/CP1"), Identity("CP1"))
        self.assertEqual(templates.identify("/b/CP1"), Identity("CP1", "b"))
        self.assertRaises(UnknownPath, templates.identify, "/CP1")

    def test_every_literal_must_fit(self) -> None:
        templates = Templates(["/v1/{name}/v1/{id}"])
        self.assertEqual(templates.identify("/v1/acme/v1/CP1"), Identity("CP1", "acme"))
        self.assertRaises(UnknownPath, templates.identify, "/v2/acme/v1/CP1")

    def test_what_is_no_template(self) -> None:
        for template in (
            "",
            "ocpp/{id}",
            "/ocpp",
            "/{id}/ocpp",
            "/{id}/{id}",
            "/{name}/{name}/{id}",
            "//{id}",
            "/{tenant}/{id}",
            "/ocpp/{id}?x",
            "/ocpp-{name}/{id}",
        ):
            error = self.assertRaises(ValueError, Templates, [template])
            self.assertIn("write a path that ends in {id}", str(error))
