-- Changes of webhook settings in the log, by whose they are and by when: each takes along how the
-- settings were before, so the settings in force at any event can be found. The first column pair
-- of the second index says at once that nothing has changed since, which is nearly always so.
CREATE INDEX event_webhook_settings ON event (account_sid, subject_sid, sequence)
    WHERE name IN ('webhooksChanged', 'onConversationRemoved');
CREATE INDEX event_webhook_settings_order ON event (account_sid, sequence)
    WHERE name IN ('webhooksChanged', 'onConversationRemoved');
