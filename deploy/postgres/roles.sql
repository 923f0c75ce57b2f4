-- Prepares one database for SplitCart: a role and a schema for each service, and nothing between them but the
-- views of schema `read`.
--
-- Run it as a superuser, connected to that database; any Postgres 18, psql or another client. It may be run
-- again at any time: what is there stays, what is missing is made. Roles belong to the whole server, everything
-- else to the current database (so a copy of a prepared database needs it again: grants on a database are not
-- copied).
--
-- Passwords: none are set here. The sandbox trusts connections from the loopback address. In production an
-- operator gives each role its own after the first run, from a secret and not from a file under version
-- control:   ALTER ROLE splitcart_ingest PASSWORD '...';   and the service's SPLITCART_POSTGRES_DSN names no
-- password but leaves it to a password file (~/.pgpass or PGPASSFILE). With pg_hba.conf at scram-sha-256 a
-- role without a password cannot log in, so forgetting one is safe.

-- Two databases may be prepared at once: the second waits here (the lock ends with the transaction).
BEGIN;
SELECT pg_advisory_xact_lock(7310582);

-- Roles ------------------------------------------------------------------------------------------------------
DO $$
DECLARE
    service text;
BEGIN
    FOREACH service IN ARRAY ARRAY['scraper', 'ingest', 'grouping', 'substitutions', 'gateway'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'splitcart_' || service) THEN
                EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', 'splitcart_' || service);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database's preparation made it a moment ago
        END;
    END LOOP;
END
$$;

-- The database: only our roles may connect; temporary tables serve bulk loads ------------------------------------
DO $$
DECLARE
    roles CONSTANT text := 'splitcart_scraper, splitcart_ingest, splitcart_grouping, splitcart_substitutions, splitcart_gateway';
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %s', current_database(), roles);
    -- ingest makes a schema for each generation of its tables (ingest_g1, ingest_g2, ...).
    EXECUTE format('GRANT CREATE ON DATABASE %I TO splitcart_ingest', current_database());
END
$$;

-- Extensions -----------------------------------------------------------------------------------------------------
-- They live in `public`, which is on every session's search path: an operator such as % or <-> cannot be named
-- with a schema in a readable way. In return nobody but the superuser may create anything there.
SET LOCAL client_min_messages = warning;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO splitcart_scraper, splitcart_ingest, splitcart_grouping, splitcart_substitutions, splitcart_gateway;
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public;
CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA public;
CREATE EXTENSION IF NOT EXISTS cube SCHEMA public;
CREATE EXTENSION IF NOT EXISTS earthdistance SCHEMA public;

-- One schema a service, its own alone --------------------------------------------------------------------------------
CREATE SCHEMA IF NOT EXISTS scraper AUTHORIZATION splitcart_scraper;
CREATE SCHEMA IF NOT EXISTS ingest AUTHORIZATION splitcart_ingest;
CREATE SCHEMA IF NOT EXISTS grouping AUTHORIZATION splitcart_grouping;
CREATE SCHEMA IF NOT EXISTS substitutions AUTHORIZATION splitcart_substitutions;
CREATE SCHEMA IF NOT EXISTS gateway AUTHORIZATION splitcart_gateway;

-- What others may see: views of ingest and of grouping, which run with their maker's rights on its tables.
CREATE SCHEMA IF NOT EXISTS read AUTHORIZATION splitcart_ingest;
GRANT USAGE ON SCHEMA read TO splitcart_scraper, splitcart_grouping, splitcart_substitutions, splitcart_gateway;
GRANT CREATE ON SCHEMA read TO splitcart_grouping;
GRANT SELECT ON ALL TABLES IN SCHEMA read TO splitcart_scraper, splitcart_grouping, splitcart_substitutions, splitcart_gateway;
ALTER DEFAULT PRIVILEGES FOR ROLE splitcart_ingest IN SCHEMA read
    GRANT SELECT ON TABLES TO splitcart_scraper, splitcart_grouping, splitcart_substitutions, splitcart_gateway;
ALTER DEFAULT PRIVILEGES FOR ROLE splitcart_grouping IN SCHEMA read
    GRANT SELECT ON TABLES TO splitcart_scraper, splitcart_ingest, splitcart_substitutions, splitcart_gateway;

COMMIT;
