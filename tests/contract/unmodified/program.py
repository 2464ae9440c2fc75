"""A program as it is written for the hosted service: no base URL, and nothing else to set."""

import json
import os

from twilio.rest import Client
from twilio.rest.content.v1.content import ContentList

client = Client(os.environ["ACCOUNT_SID"], os.environ["AUTH_TOKEN"])
conversation = client.conversations.v1.conversations.create(friendly_name="By name")
conversation.participants.create(identity="alice")
for number in range(5):
    conversation.messages.create(author="alice", body=f"message {number}")
# A page of two: the next pages are fetched from the server's URLs.
bodies = [each.body for each in conversation.messages.list(page_size=2)]
account = client.api.v2010.accounts(client.account_sid).fetch()
greeting = {"language": "en", "types": {"twilio/text": {"body": "Hello {{1}}"}}}
template = client.content.v1.contents.create(ContentList.ContentCreateRequest(greeting))
seen = {"url": conversation.url, "bodies": bodies, "account_sid": account.sid}
print(json.dumps({**seen, "template": template.url}))
