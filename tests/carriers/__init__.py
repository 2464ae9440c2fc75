"""Carriers against independent SMSCs, mail servers, contract mocks and client libraries."""
