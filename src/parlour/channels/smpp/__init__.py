"""SMPP 3.4: links to short message centres (SMSCs).

`carrier.py` declares the carrier and its options without importing the codec; `adapter.py` is the
carrier itself. `link.py` is one connection, `keeper.py` opens it again. The other modules are pure:
`pdus.py` (the codec), `addresses.py`, `submissions.py`, `receipts.py`, `texts.py`, `joining.py` and
`redeliveries.py`.
"""
