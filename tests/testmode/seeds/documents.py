"""Seeds for tests: the example of the documentation, and one with every key."""

from __future__ import annotations

from typing import Any

from parlour.testmode.seeds.text import read_document

EXAMPLE = """
parlour: 1                                # format
clock: 2026-01-05T09:00:00Z               # optional; frozen
random_seed: 7
account:
  friendly_name: Shop
  webhooks: {post_url: "${APP_URL}/hooks", filters: [onMessageAdded, onConversationStateUpdated]}
  emulation: {unknown_parameters: refuse}
services:
  - {key: shop, friendly_name: Shop, default: true, reachability: true}
roles:
  - key: agent
    service: shop
    type: conversation
    friendly_name: agent
    permissions: [sendMessage, editAnyMessage]
users:
  - {identity: alice, friendly_name: Alice, attributes: {vip: true}}
addresses:
  - address: "+15550999"
    auto_creation: {enabled: true, type: webhook, webhook_url: "${APP_URL}/inbound"}
phones:
  - {address: "+15550100", name: "Bob's phone"}
conversations:
  - key: order
    unique_name: order-4711
    attributes: {order: 4711}
    timers: {inactive: PT10M, closed: P1D}
    participants:
      - {identity: alice, role: agent, last_read_message_index: 0}
      - {address: "+15550100", proxy_address: "+15550999"}
    messages:
      - {author: alice, body: "Your parcel is on its way", date_created: "-PT2H"}
      - {author: "+15550100", body: "Thanks", receipts: {delivered: all}}
    webhooks: [{url: "${APP_URL}/scoped", filters: [onMessageAdded]}]
"""

FULL = """
parlour: 1
clock: 2026-01-05T09:00:00Z
random_seed: 7
fires: false
account:
  friendly_name: Everything
  default_messaging_service_sid: MG0123456789abcdef0123456789abcdef
  default_inactive_timer: PT1H
  default_closed_timer: P7D
  webhooks:
    pre_url: https://app.example/pre
    post_url: https://app.example/post
    method: GET
    filters: [onMessageAdd, onMessageAdded]
    target: flex
  emulation:
    actions_per_second: 30
    unknown_parameters: refuse
    webhook_retries: hosted
    token_clock: system
    latency_ms: 5
services:
  - key: main
    sid: IS00000000000000000000000000000001
    friendly_name: Main
    default: true
    date_created: 2025-01-01T00:00:00Z
    date_updated: 2025-01-02T00:00:00Z
    reachability: true
    default_conversation_creator_role: agent
    default_conversation_role: agent
    default_chat_service_role: clerk
    webhooks:
      pre_url: https://app.example/service/pre
      post_url: https://app.example/service/post
      method: GET
      filters: [onConversationAdded]
  - key: second
    friendly_name: Second
roles:
  - key: agent
    sid: RL00000000000000000000000000000001
    type: conversation
    friendly_name: agent
    permissions: [sendMessage, editAnyMessage]
    date_created: 2025-01-03T00:00:00Z
    date_updated: 2025-01-04T00:00:00Z
  - {key: clerk, type: service, friendly_name: clerk, permissions: [createConversation]}
  - {service: second, type: service, friendly_name: service admin, built_in: true,
     permissions: [joinConversation]}
users:
  - key: alice
    sid: US00000000000000000000000000000001
    identity: alice
    friendly_name: Alice
    attributes: {vip: true, "name": "Ālice", n: [1, 2.5, null]}
    role: service admin
    date_created: 2025-01-05T00:00:00Z
    date_updated: 2025-01-06T00:00:00Z
  - {service: second, identity: alice, attributes: '"text"'}
addresses:
  - key: shop
    sid: IG00000000000000000000000000000001
    type: sms
    address: "+15550999"
    friendly_name: The shop
    address_country: US
    auto_creation:
      enabled: true
      type: webhook
      conversation_service: second
      webhook_url: https://app.example/inbound
      webhook_method: GET
      webhook_filters: [onMessageAdded]
    date_created: 2025-01-07T00:00:00Z
    date_updated: 2025-01-08T00:00:00Z
  - address: whatsapp:+15550999
    auto_creation:
      type: studio
      studio_flow_sid: FW00000000000000000000000000000001
      studio_retry_count: 2
phones:
  - address: "+15550100"
    name: Bob
    behaviour: reject
    error_code: 30003
    delay_ms: 100
    receipts: duplicate
    reads: true
    date_created: 2025-01-09T00:00:00Z
    date_updated: 2025-01-10T00:00:00Z
conversations:
  - key: order
    sid: CH00000000000000000000000000000001
    friendly_name: Order
    unique_name: order
    attributes: {order: 4711}
    state: inactive
    messaging_service_sid: MG0123456789abcdef0123456789abcde0
    created_by: alice
    next_message_index: 9
    timers:
      inactive: PT10M
      closed: P1D
      date_inactive: 2099-02-01T00:00:00Z
      date_closed: 2099-03-01T00:00:00Z
    bindings: {email: {address: shop@example.org, name: Shop}}
    date_created: 2025-01-11T00:00:00Z
    date_updated: 2025-01-12T00:00:00Z
    participants:
      - key: alice
        sid: MB00000000000000000000000000000001
        identity: alice
        attributes: {a: 1}
        role: channel admin
        last_read_message_index: 2
        last_read_timestamp: 2025-01-16T00:00:00Z
        notification_level: muted
        date_created: 2025-01-13T00:00:00Z
        date_updated: 2025-01-14T00:00:00Z
      - {key: bob, address: "+15550100", proxy_address: "+15550999"}
      - {address: "+15550100", proxy_address: "+15550998"}
      - {address: carol@example.org, level: cc, name: Carol}
    messages:
      - key: first
        sid: IM00000000000000000000000000000001
        author: alice
        body: Hello
        subject: Greeting
        attributes: [1]
        index: 2
        source: SDK
        last_updated_by: bob
        date_created: 2025-01-15T00:00:00Z
        date_updated: 2025-01-16T00:00:00Z
        receipts:
          - sid: DY00000000000000000000000000000001
            participant: bob
            status: failed
            error_code: 30003
            channel_message_sid: SM00000000000000000000000000000001
            date_created: 2025-01-17T00:00:00Z
            date_updated: 2025-01-18T00:00:00Z
      - {author: "+15550100", body: "Thanks ☃", receipts: {delivered: [carol@example.org]}}
    webhooks:
      - key: hook
        sid: WH00000000000000000000000000000001
        target: webhook
        url: https://app.example/scoped
        method: GET
        filters: [onMessageAdded]
        replay_after: 0
        date_created: 2025-01-19T00:00:00Z
        date_updated: 2025-01-20T00:00:00Z
      - {target: trigger, url: "https://app.example/trigger", triggers: [word, other]}
      - {target: studio, flow_sid: FW00000000000000000000000000000002}
  - state: closed
    timers: {inactive: PT0S}
    participants:
      - {address: "+15550101", proxy_address: "+15550999"}
    messages:
      - {body: Old, date_created: "-P2D"}
  - service: second
    participants:
      - {projected_address: "+12125550123", identity: alice}
      - {address: "+12125550124"}
      - {address: "+12125550125"}
    messages:
      - {author: alice, receipts: {read: all}}
"""


def example() -> dict[str, Any]:
    """Return the values of the example."""
    return _values(EXAMPLE.replace("${APP_URL}", "https://app.example"))


def full() -> dict[str, Any]:
    """Return the values of the seed with every key."""
    return _values(FULL)


def without_steering(document: dict[str, Any]) -> dict[str, Any]:
    """Return a seed without what changes the whole server."""
    return {name: each for name, each in document.items() if name not in {"clock", "random_seed"}}


def _values(text: str) -> dict[str, Any]:
    found: dict[str, Any] = read_document(text.encode(), "application/yaml")
    return found
