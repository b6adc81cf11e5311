//! PKCS #11 URIs (RFC 7512): which key of which token, and where the module is.

/// What such a URI begins with.
pub(crate) const SCHEME: &str = "pkcs11:";

#[cfg(feature = "pkcs11")]
pub(crate) use uri::Uri;

#[cfg(feature = "pkcs11")]
mod uri {
    use std::path::PathBuf;

    use crypto::{TokenKeyName, Zeroizing};

    use super::SCHEME;
    use crate::{failure::Failure, files};

    /// Environment variable with the PIN, where the URI does not say where it is.
    const PIN_VARIABLE: &str = "SEXTANT_PKCS11_PIN";

    /// A URI that names a key and its module.
    #[derive(Debug)]
    pub(crate) struct Uri {
        pub(crate) name: TokenKeyName,
        pub(crate) module: PathBuf,
        pin_source: Option<PathBuf>,
    }

    impl Uri {
        /// Reads `pkcs11:token=…;object=…?module-path=…&pin-source=…`. Attributes that are not known are refused: they
        /// would have narrowed down which key is meant.
        pub(crate) fn parse(uri: &str) -> Result<Self, Failure> {
            let help =
                "for example pkcs11:token=release;object=author?module-path=/usr/lib/softhsm/libsofthsm2.so";
            let wrong = |what: String| {
                Failure::new(format!("not a PKCS #11 URI that is understood: {what}")).help(help)
            };
            let rest = uri.strip_prefix(SCHEME).ok_or_else(|| wrong("it is of another scheme".to_owned()))?;
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            let mut name = TokenKeyName::default();
            let (mut module, mut pin_source) = (None, None);
            let parts = path.split(';').chain(query.split('&')).filter(|part| !part.is_empty());
            for part in parts {
                let (attribute, value) = part.split_once('=').ok_or_else(|| wrong(format!("`{part}`")))?;
                let bytes = percent_decode(value).ok_or_else(|| wrong(format!("`{part}`")))?;
                let text = || String::from_utf8(bytes.clone()).map_err(|_| wrong(format!("`{part}`")));
                match attribute {
                    "token" => name.token = Some(text()?),
                    "serial" => name.serial = Some(text()?),
                    "object" => name.object = Some(text()?),
                    "id" => name.id = Some(bytes),
                    "type" if value == "private" => {}
                    "module-path" => module = Some(PathBuf::from(text()?)),
                    "pin-source" => {
                        let text = text()?;
                        pin_source = Some(PathBuf::from(text.strip_prefix("file:").unwrap_or(&text)));
                    }
                    // On a command line everybody on the machine reads it.
                    "pin-value" => {
                        return Err(Failure::new("a PIN does not belong on the command line")
                            .help(format!("put it into a file (pin-source=…) or into {PIN_VARIABLE}")));
                    }
                    _ => return Err(wrong(format!("attribute `{attribute}`"))),
                }
            }
            let module = module.ok_or_else(|| wrong("it names no module-path".to_owned()))?;
            Ok(Self { name, module, pin_source })
        }

        /// The PIN, from the file that the URI names or from the environment; none where the token asks for none.
        pub(crate) fn pin(&self) -> Result<Option<Zeroizing<String>>, Failure> {
            let Some(path) = &self.pin_source else {
                return Ok(std::env::var(PIN_VARIABLE).ok().map(Zeroizing::new));
            };
            let input = files::Input::read(path)?;
            let text = String::from_utf8(input.bytes)
                .map_err(|error| Failure::new(format!("{} is not a PIN", input.name)).because(&error))?;
            Ok(Some(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())))
        }
    }

    fn percent_decode(text: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            rest = match (first, after) {
                (b'%', [high, low, after @ ..]) => {
                    let digit = |byte: &u8| char::from(*byte).to_digit(16);
                    bytes.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
                    after
                }
                (b'%', _) => return None,
                (byte, after) => {
                    bytes.push(*byte);
                    after
                }
            };
        }
        Some(bytes)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn reads_what_names_a_key() {
            let uri = "pkcs11:token=My%20token;object=author;id=%01%ff;type=private?module-path=/m.so&pin-source=file:/p";
            let uri = Uri::parse(uri).expect("a URI");
            let name = TokenKeyName {
                token: Some("My token".to_owned()),
                serial: None,
                object: Some("author".to_owned()),
                id: Some(vec![1, 0xff]),
            };
            assert_eq!((uri.name, uri.module, uri.pin_source), (name, "/m.so".into(), Some("/p".into())));
        }

        #[test]
        fn refuses_what_it_would_have_to_guess() {
            for bad in [
                "pkcs11:token=a",
                "pkcs11:colour=red?module-path=/m.so",
                "pkcs11:type=public?module-path=/m.so",
                "pkcs11:token=%zz?module-path=/m.so",
                "pkcs11:token=%f?module-path=/m.so",
                "pkcs11:token=a?module-path=/m.so&pin-value=1234",
            ] {
                assert!(Uri::parse(bad).is_err(), "{bad}");
            }
        }
    }
}
