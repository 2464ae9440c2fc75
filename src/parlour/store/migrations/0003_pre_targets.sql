-- Where in the log a conversation's webhook was attached, and where a conversation was removed:
-- what was committed before the one or the other goes to whom it went to then.
CREATE INDEX event_webhook_attached
    ON event (account_sid, subject_sid) WHERE name = 'scopedWebhookAdded';
CREATE INDEX event_conversation_removed
    ON event (account_sid, subject_sid) WHERE name = 'onConversationRemoved';
