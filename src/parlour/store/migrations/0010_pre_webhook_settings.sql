-- Changes of webhook settings in the event log, by owner and event number. Each contains the
-- settings before it, so the settings in force at any event can be read. The second index shows in
-- one probe that none of an account have changed since an event, which is nearly always the case.
CREATE INDEX event_webhook_settings ON event (account_sid, subject_sid, sequence)
    WHERE name IN ('webhooksChanged', 'onConversationRemoved');
CREATE INDEX event_webhook_settings_order ON event (account_sid, sequence)
    WHERE name IN ('webhooksChanged', 'onConversationRemoved');
