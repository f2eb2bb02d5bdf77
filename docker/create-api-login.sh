#!/bin/sh
# Runs once, when the database volume is new: the API's login, with its password. Migrations make the other roles.
set -eu
psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set=password="$API_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE polyclinic_api LOGIN NOINHERIT NOBYPASSRLS PASSWORD :'password';
SQL
