#!/bin/sh
# The role and the database of Parlour, made when PostgreSQL starts for the first time. The role is
# no superuser, so that row-level security holds for it.
set -eu
psql --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 --set password="$PARLOUR_PASSWORD" <<'SQL'
CREATE ROLE parlour LOGIN PASSWORD :'password';
CREATE DATABASE parlour OWNER parlour ENCODING 'UTF8' TEMPLATE template0;
SQL
