-- Gives each service's role its password, after roles.sql. For psql alone: it reads the passwords from its
-- environment, so that they are in no file and on no command line. May be run again at any time; a session that
-- is open stays open. A role not named here (substitutions: it has no service yet) cannot log in by password.

-- Should a statement fail, the server's log does not quote it.
SET log_min_error_statement = panic;
SET log_statement = none;

\getenv password POSTGRES_PASSWORD_SCRAPER
ALTER ROLE splitcart_scraper PASSWORD :'password';
\getenv password POSTGRES_PASSWORD_INGEST
ALTER ROLE splitcart_ingest PASSWORD :'password';
\getenv password POSTGRES_PASSWORD_GROUPING
ALTER ROLE splitcart_grouping PASSWORD :'password';
\getenv password POSTGRES_PASSWORD_GATEWAY
ALTER ROLE splitcart_gateway PASSWORD :'password';
