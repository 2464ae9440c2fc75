#!/bin/sh
# Create the role and the database of Parlour when PostgreSQL starts for the first time. The role is
# not a superuser, so that row-level security applies to it.
set -eu
psql --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 --set password="$PARLOUR_PASSWORD" <<'SQL'
CREATE ROLE parlour LOGIN PASSWORD :'password';
CREATE DATABASE parlour OWNER parlour ENCODING 'UTF8' TEMPLATE template0;
SQL
