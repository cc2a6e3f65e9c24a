from reelproof.schemas.server_key import NO_KEY, ServerKey


def test_a_key_is_sent_and_never_shown(monkeypatch):
    monkeypatch.setenv("SOME_KEY", " sk-one\n")
    key = ServerKey.read("SOME_KEY")
    assert key.value == "sk-one"
    assert key.hidden_in("no leave for sk-one") == "no leave for …"
    assert "SOME_KEY holds another" in key.refused()
    assert "sk-one" not in repr(key) + key.refused()


def test_without_a_key_none_is_sent_and_nothing_is_hidden(monkeypatch):
    monkeypatch.delenv("SOME_KEY", raising=False)
    key = ServerKey.read("SOME_KEY")
    assert (key.value, key.hidden_in("none of it")) == (NO_KEY, "none of it")
    assert "SOME_KEY holds none" in key.refused()


def test_long_messages_are_cut_off():
    assert ServerKey("SOME_KEY", NO_KEY).hidden_in("x" * 600) == "x" * 499 + "…"
