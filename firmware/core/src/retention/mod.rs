//! How long things are kept, and what may go (U14). Nothing the cloud has not acknowledged ever goes.
