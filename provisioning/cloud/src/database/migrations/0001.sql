-- Each row is a document, found by the name of what it is about; `body` is what the embedded database keeps as well.

-- By the SHA-256 of the token, in hexadecimal digits.
CREATE TABLE claims (id text COLLATE "C" PRIMARY KEY, body jsonb NOT NULL);

CREATE TABLE stores (id uuid PRIMARY KEY, body jsonb NOT NULL);

-- By the SHA-256 of the public key, in hexadecimal digits.
CREATE TABLE devices (id text COLLATE "C" PRIMARY KEY, body jsonb NOT NULL);

-- What there is one of: the authority whose boxes these are.
CREATE TABLE settings (id text COLLATE "C" PRIMARY KEY, body jsonb NOT NULL);
