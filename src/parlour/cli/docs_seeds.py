"""The generated page of seeds, from their declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.testmode.seeds.declaration import ROOT
from parlour.testmode.seeds.keys import ValueKind
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.testmode.seeds.keys import Section

INTRODUCTION: Final = f"""\
A seed is one document, in JSON or YAML, that fills an account of a server in test mode. Load it
with `POST /parlour/v1/Seeds` (content type `application/json` or `application/yaml`), with
`parlour seed load FILE`, or at the start with `parlour serve --test --seed FILE`;
`parlour seed check FILE` needs no server, and `POST /parlour/v1/Seeds/Check` tries a seed on the
data of the account without changing it. `GET /parlour/v1/Seeds` returns an account as a seed,
with SIDs if `Sids=true`; `GET /parlour/v1/Seeds/Schema` is the JSON Schema. `--export-on-exit FILE`
writes the account of the settings at the end.

```yaml
parlour: 1
users:
  - {{identity: alice, attributes: {{vip: true}}}}
conversations:
  - key: order
    unique_name: order-4711
    timers: {{inactive: PT10M}}
    participants:
      - {{identity: alice, last_read_message_index: 0}}
      - {{address: "+15550100", proxy_address: "+15550999"}}
    messages:
      - {{author: alice, body: "On its way", date_created: "-PT2H", receipts: {{delivered: all}}}}
```

- **All or nothing.** A seed is loaded in one transaction. An error is 400, and its message
  begins with the path of the value: `conversations[0].participants[1].proxy_address: 50409 …`.
  The code is the code of the API's validator, else 20001.
- **The response** (201) has `sids`: the SID of each object by its path, with its `key` instead of
  its position if it has one: `conversations.order`, `conversations.order.participants[0]`.
- **References** name a `key` of the document, or a SID; participants also an identity or an
  address, roles also the name of a built-in role: `channel user`. Objects without a service are
  in the default one.
- **The default service** is the one that the account has. With a `sid`, a new service becomes
  the default one, and the previous one is deleted if it is empty.
- **SIDs** may be given for all objects that have one. They must be unused in the account.
- **Dates** have whole seconds. `-PT2H` is two hours before the clock. A conversation is as old
  as its oldest message, and participants are as old as their conversation, unless they have a
  date.
- **Timers** count from the load, so that messages of the past do not close a conversation.
- **Silence.** No webhook is sent unless `fires: true`; then all post-action events are sent.
  Pre-action webhooks are never called. Nothing is sent to carriers: receipts are the results of
  messages that were sent before.
- **The server.** `clock` freezes the clock and `random_seed` makes random SIDs repeatable, for
  all accounts; such a seed needs the auth token of the account.
- **A start** with `--seed` fails with the path if a seed is wrong, and if the data folder has its
  objects already. `POST /parlour/v1/Reset` with `Seed=start` loads the seeds of the start again.
- **Variables.** `${{NAME}}` is replaced from the environment by the program that reads a file,
  never by the server. A missing variable is an error.
- **YAML** is read without anchors, aliases, tags and merge keys. Plain texts are texts unless
  YAML 1.2 has a number, `true`, `false` or `null` for them: `no` and dates are texts.
- **Limits.** {limits.SEED_BYTES_MAX // 1024 // 1024} MiB, {limits.SEED_OBJECTS_MAX:,} objects,
  {limits.SEED_DEPTH_MAX} levels.

Not in a seed: media, content templates, push bindings, credentials, settings of notifications,
the inboxes of virtual phones, and the log of webhooks. A built-in role that was deleted is
there again after an export was loaded. `!` marks a required key.
"""


def seeds_body() -> str:
    """Return the tables of all keys."""
    parts = []
    for title, section in _sections(ROOT, ""):
        parts.append(f"## {title or 'Top level'}\n\n| key | value | meaning |\n|---|---|---|")
        for key in section.keys:
            name = f"`{key.name}`" + ("!" if key.is_required else "")
            value = ", ".join(f"`{word}`" for word in key.words) or key.kind.value
            parts[-1] += f"\n| {name} | {value} | {key.about} |"
    return "\n\n".join(parts) + "\n"


def _sections(section: Section, path: str) -> Iterator[tuple[str, Section]]:
    yield path, section
    for key in section.keys:
        if key.section is not None:
            brackets = "" if key.kind is ValueKind.OBJECT else "[]"
            yield from _sections(key.section, f"{path}.{key.name}{brackets}".lstrip("."))
