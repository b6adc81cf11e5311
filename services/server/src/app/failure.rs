use trust::Reason;

/// Why the application did not do it, sorted by what the client can do about it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request cannot be read.
    Malformed(String),
    /// There is no credential, or it is not good any more.
    Unauthorized,
    /// The credential is for something else.
    Forbidden,
    /// There is no such thing, or it is not to be known.
    NotFound,
    /// The answer's only media type is not accepted.
    NotAcceptable,
    /// The body did not come in time.
    TooSlow,
    /// It is not in a state that allows this.
    Conflict(String),
    /// The body is longer than what is read here.
    TooLarge,
    /// The body's media type is not one of these.
    UnsupportedMedia(&'static [&'static str]),
    /// The range lies outside of the file of this size.
    Range(u64),
    /// The object is well-formed, and refused.
    Refused(Reason),
    /// The object cannot be read.
    Unreadable(Reason),
    /// The object was not made by who brings it.
    Forged(Reason),
    /// Too often; try again after this many seconds.
    TooMany(u64),
    /// A part that this needs does not answer now.
    Unavailable,
    /// A fault of the server.
    Fault(String),
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Conflict(what) => Self::Conflict(format!("{what} conflicts with what is stored")),
            store::Error::Absent(_) => Self::NotFound,
            store::Error::Unavailable(_) => Self::Unavailable,
            other => Self::Fault(describe(&other)),
        }
    }
}

/// An error with everything that caused it.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
