-- Event numbers at which a scoped webhook was attached and a conversation removed: earlier events
-- keep their targets.
CREATE INDEX event_webhook_attached
    ON event (account_sid, subject_sid) WHERE name = 'scopedWebhookAdded';
CREATE INDEX event_conversation_removed
    ON event (account_sid, subject_sid) WHERE name = 'onConversationRemoved';
