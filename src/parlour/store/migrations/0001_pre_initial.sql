-- The first schema, one text for both engines; placeholders in braces are replaced for each engine
-- (store/dialect.py): {identity} numbers rows in order of insertion.
-- Dates are milliseconds since 1970-01-01 UTC. `sequence` is the order of creation.
-- `created_order` is microseconds: date_created, refined by the order of creation.
-- The key of every table of a tenant begins with account_sid.

CREATE TABLE account (
    sid TEXT NOT NULL PRIMARY KEY,
    friendly_name TEXT NOT NULL,
    status TEXT NOT NULL,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL
);

-- The key does not begin with the account: a login is read by the name in a request, before the
-- account is known.
CREATE TABLE login (
    name TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    account_sid TEXT NOT NULL,
    friendly_name TEXT NOT NULL,
    secret_digest TEXT NOT NULL,
    secret_sealed TEXT NOT NULL,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (name, ordinal)
);
CREATE INDEX login_of_account ON login (account_sid, sequence, name);

CREATE TABLE account_number (
    account_sid TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (account_sid, address)
);

CREATE TABLE configuration (
    account_sid TEXT NOT NULL PRIMARY KEY,
    default_chat_service_sid TEXT NOT NULL,
    default_messaging_service_sid TEXT,
    default_inactive_timer TEXT,
    default_closed_timer TEXT
);

CREATE TABLE webhook_configuration (
    account_sid TEXT NOT NULL PRIMARY KEY,
    pre_webhook_url TEXT,
    post_webhook_url TEXT,
    method TEXT NOT NULL,
    filters TEXT NOT NULL,
    target TEXT NOT NULL
);

CREATE TABLE address_configuration (
    account_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    type TEXT NOT NULL,
    address TEXT NOT NULL,
    friendly_name TEXT,
    address_country TEXT,
    auto_creation TEXT NOT NULL,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sid)
);
CREATE UNIQUE INDEX address_configuration_address ON address_configuration (account_sid, address);
CREATE INDEX address_configuration_order ON address_configuration (account_sid, sequence, sid);

CREATE TABLE credential (
    account_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    friendly_name TEXT,
    type TEXT NOT NULL,
    sandbox TEXT,
    secrets_sealed TEXT,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sid)
);
CREATE INDEX credential_order ON credential (account_sid, sequence, sid);

CREATE TABLE service (
    account_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    friendly_name TEXT NOT NULL,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sid)
);
CREATE INDEX service_order ON service (account_sid, sequence, sid);

CREATE TABLE service_configuration (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    default_conversation_creator_role_sid TEXT NOT NULL,
    default_conversation_role_sid TEXT NOT NULL,
    default_chat_service_role_sid TEXT NOT NULL,
    reachability_enabled INTEGER NOT NULL,
    PRIMARY KEY (account_sid, service_sid)
);

CREATE TABLE service_notification (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    log_enabled INTEGER NOT NULL,
    new_message TEXT NOT NULL,
    added_to_conversation TEXT NOT NULL,
    removed_from_conversation TEXT NOT NULL,
    PRIMARY KEY (account_sid, service_sid)
);

CREATE TABLE service_webhook_configuration (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    pre_webhook_url TEXT,
    post_webhook_url TEXT,
    method TEXT,
    filters TEXT,
    PRIMARY KEY (account_sid, service_sid)
);

CREATE TABLE role (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    friendly_name TEXT NOT NULL,
    type TEXT NOT NULL,
    permissions TEXT NOT NULL,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sid)
);
CREATE INDEX role_order ON role (account_sid, service_sid, sequence, sid);

CREATE TABLE chat_user (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    identity TEXT NOT NULL,
    friendly_name TEXT,
    attributes TEXT NOT NULL,
    role_sid TEXT NOT NULL,
    is_online INTEGER,
    is_notifiable INTEGER,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sid)
);
CREATE UNIQUE INDEX chat_user_identity ON chat_user (account_sid, service_sid, identity);
CREATE INDEX chat_user_order ON chat_user (account_sid, service_sid, sequence, sid);
CREATE INDEX chat_user_role ON chat_user (account_sid, role_sid);

CREATE TABLE conversation (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    messaging_service_sid TEXT,
    friendly_name TEXT,
    unique_name TEXT,
    attributes TEXT NOT NULL,
    state TEXT NOT NULL,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    inactive_timer_seconds BIGINT,
    closed_timer_seconds BIGINT,
    date_inactive BIGINT,
    date_closed BIGINT,
    email_address TEXT,
    email_name TEXT,
    created_by TEXT NOT NULL,
    next_message_index BIGINT NOT NULL,
    removed_messages BIGINT NOT NULL,
    created_order BIGINT NOT NULL,
    last_activity BIGINT NOT NULL,
    pending_participants TEXT,
    PRIMARY KEY (account_sid, sid)
);
CREATE UNIQUE INDEX conversation_unique_name
    ON conversation (account_sid, service_sid, unique_name) WHERE unique_name IS NOT NULL;
CREATE INDEX conversation_activity ON conversation (account_sid, service_sid, last_activity, sid);
CREATE INDEX conversation_created ON conversation (account_sid, service_sid, created_order, sid);
CREATE INDEX conversation_state ON conversation (account_sid, service_sid, state, created_order, sid);
-- The scheduler reads due rows of all accounts, so these indexes do not begin with the account.
CREATE INDEX conversation_due_inactive ON conversation (date_inactive) WHERE date_inactive IS NOT NULL;
CREATE INDEX conversation_due_closed ON conversation (date_closed) WHERE date_closed IS NOT NULL;
CREATE INDEX conversation_pending ON conversation (sequence) WHERE pending_participants IS NOT NULL;

CREATE TABLE participant (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    conversation_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    identity TEXT,
    attributes TEXT NOT NULL,
    role_sid TEXT,
    binding_type TEXT,
    address TEXT,
    proxy_address TEXT,
    projected_address TEXT,
    binding_level TEXT,
    binding_name TEXT,
    holds_pair INTEGER NOT NULL,
    is_open INTEGER NOT NULL,
    notification_level TEXT NOT NULL,
    last_read_message_index BIGINT,
    last_read_timestamp BIGINT,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sid)
);
CREATE INDEX participant_order ON participant (account_sid, conversation_sid, sequence, sid);
CREATE UNIQUE INDEX participant_identity
    ON participant (account_sid, conversation_sid, identity) WHERE identity IS NOT NULL;
CREATE UNIQUE INDEX participant_pair
    ON participant (account_sid, address, proxy_address) WHERE holds_pair = 1;
CREATE INDEX participant_open_of_identity
    ON participant (account_sid, service_sid, identity, sid)
    WHERE is_open = 1 AND identity IS NOT NULL;
CREATE INDEX participant_open_of_address
    ON participant (account_sid, address) WHERE is_open = 1 AND address IS NOT NULL;
CREATE INDEX participant_of_identity
    ON participant (account_sid, service_sid, identity, sequence, sid) WHERE identity IS NOT NULL;
CREATE INDEX participant_conversations_of_identity
    ON participant (account_sid, service_sid, identity, conversation_sid, sid) WHERE identity IS NOT NULL;
CREATE INDEX participant_conversations_of_address
    ON participant (account_sid, service_sid, address, conversation_sid, sid) WHERE address IS NOT NULL;
CREATE INDEX participant_proxy ON participant (account_sid, proxy_address) WHERE proxy_address IS NOT NULL;
CREATE INDEX participant_projected
    ON participant (account_sid, projected_address) WHERE projected_address IS NOT NULL;
-- Recipients of a new message outside the chat: few of up to 1,000 participants.
CREATE INDEX participant_bound
    ON participant (account_sid, conversation_sid, sequence, sid) WHERE binding_type IS NOT NULL;
CREATE INDEX participant_role ON participant (account_sid, role_sid) WHERE role_sid IS NOT NULL;

-- Reserved pairs of addresses: their participants are still to be added to a new conversation.
CREATE TABLE pending_pair (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    conversation_sid TEXT NOT NULL,
    address TEXT NOT NULL,
    proxy_address TEXT NOT NULL,
    PRIMARY KEY (account_sid, address, proxy_address)
);
CREATE INDEX pending_pair_conversation ON pending_pair (account_sid, conversation_sid);

CREATE TABLE message (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    conversation_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    message_index BIGINT NOT NULL,
    author TEXT NOT NULL,
    participant_sid TEXT,
    body TEXT,
    subject TEXT,
    attributes TEXT NOT NULL,
    media TEXT,
    content_sid TEXT,
    content_variables TEXT,
    source TEXT NOT NULL,
    last_updated_by TEXT,
    receipts_total INTEGER NOT NULL,
    receipts_sent INTEGER NOT NULL,
    receipts_delivered INTEGER NOT NULL,
    receipts_read INTEGER NOT NULL,
    receipts_failed INTEGER NOT NULL,
    receipts_undelivered INTEGER NOT NULL,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, conversation_sid, message_index)
);
CREATE UNIQUE INDEX message_sid ON message (account_sid, sid);

CREATE TABLE receipt (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    conversation_sid TEXT NOT NULL,
    message_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    participant_sid TEXT NOT NULL,
    channel_message_sid TEXT,
    status TEXT,
    error_code INTEGER NOT NULL,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sid)
);
CREATE INDEX receipt_order ON receipt (account_sid, message_sid, sequence, sid);

CREATE TABLE media (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    message_sid TEXT,
    size BIGINT NOT NULL,
    content_type TEXT NOT NULL,
    filename TEXT,
    category TEXT NOT NULL,
    author TEXT,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sid)
);
CREATE INDEX media_of_message ON media (account_sid, message_sid) WHERE message_sid IS NOT NULL;

CREATE TABLE content_template (
    account_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    friendly_name TEXT NOT NULL,
    body TEXT NOT NULL,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sid)
);

CREATE TABLE scoped_webhook (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    conversation_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    target TEXT NOT NULL,
    url TEXT,
    method TEXT,
    filters TEXT,
    triggers TEXT,
    flow_sid TEXT,
    retry_count INTEGER,
    replay_after BIGINT,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sid)
);
CREATE INDEX scoped_webhook_order ON scoped_webhook (account_sid, conversation_sid, sequence, sid);

CREATE TABLE push_binding (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    sid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    identity TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    address TEXT NOT NULL,
    binding_type TEXT NOT NULL,
    credential_sid TEXT,
    message_types TEXT NOT NULL,
    date_created BIGINT NOT NULL,
    date_updated BIGINT NOT NULL,
    PRIMARY KEY (account_sid, sid)
);
CREATE INDEX push_binding_order ON push_binding (account_sid, service_sid, sequence, sid);
CREATE INDEX push_binding_identity ON push_binding (account_sid, service_sid, identity);

-- The event log: one row for each committed change, inserted in the transaction of the change.
CREATE TABLE event (
    sequence {identity},
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    conversation_sid TEXT NOT NULL,
    subject_sid TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    client_identity TEXT,
    fires INTEGER NOT NULL,
    date_ms BIGINT NOT NULL,
    payload TEXT NOT NULL
);

-- The position of each sink in the event log.
CREATE TABLE sink_position (
    sink TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL
);

-- The purge queue: deleted owners whose rows are deleted in the background.
CREATE TABLE purge (
    account_sid TEXT NOT NULL,
    owner_sid TEXT NOT NULL,
    kind TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (account_sid, owner_sid)
);
CREATE INDEX purge_order ON purge (sequence);

-- Deleted users whose remaining memberships are removed in the background.
CREATE TABLE departure (
    account_sid TEXT NOT NULL,
    service_sid TEXT NOT NULL,
    user_sid TEXT NOT NULL,
    identity TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    source TEXT NOT NULL,
    client_identity TEXT,
    fires INTEGER NOT NULL,
    PRIMARY KEY (account_sid, user_sid)
);
CREATE INDEX departure_order ON departure (sequence);

CREATE TABLE idempotency (
    account_sid TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    status INTEGER NOT NULL,
    answer TEXT NOT NULL,
    date_created BIGINT NOT NULL,
    PRIMARY KEY (account_sid, operation_id, idempotency_key)
);
CREATE INDEX idempotency_age ON idempotency (date_created);
