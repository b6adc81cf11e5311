//! SQL, and nothing else holds SQL.
