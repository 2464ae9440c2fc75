"""The endpoints of webhooks: the URLs of an account, their backlogs and their last results."""
