use std::{fmt, path::PathBuf, str::FromStr};

use crate::Error;

/// The resource manager of the kernel for the first TPM.
const FIRST: &str = "/dev/tpmrm0";
/// Where `swtpm` listens, where it is not said.
const HOST: &str = "localhost";
/// The same.
const PORT: u16 = 2321;

/// Where a TPM is, as tools of TPMs write it: `device:/dev/tpmrm0`, `swtpm:path=/run/tpm` or
/// `swtpm:host=localhost,port=2321`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A device file: of the kernel's resource manager, as a rule.
    Device(PathBuf),
    /// A socket in the file system.
    Unix(PathBuf),
    /// A socket of TCP. What is said over it is neither hidden nor proven, so it is for tests.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || Error::Address(text.to_owned());
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "device" if rest.is_empty() => Ok(Self::Device(FIRST.into())),
            "device" => Ok(Self::Device(rest.into())),
            "swtpm" => {
                let (mut path, mut host, mut port) = (None, None, None);
                for part in rest.split(',').filter(|part| !part.is_empty()) {
                    let (name, value) = part.split_once('=').ok_or_else(malformed)?;
                    let known = match name {
                        "path" => &mut path,
                        "host" => &mut host,
                        "port" => &mut port,
                        _ => return Err(malformed()),
                    };
                    if value.is_empty() || known.replace(value).is_some() {
                        return Err(malformed());
                    }
                }
                match (path, host, port) {
                    (Some(path), None, None) => Ok(Self::Unix(path.into())),
                    (None, host, port) => Ok(Self::Tcp {
                        host: host.unwrap_or(HOST).to_owned(),
                        port: port.map_or(Ok(PORT), str::parse).map_err(|_| malformed())?,
                    }),
                    _ => Err(malformed()),
                }
            }
            _ => Err(malformed()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => write!(f, "device:{}", path.display()),
            Self::Unix(path) => write!(f, "swtpm:path={}", path.display()),
            Self::Tcp { host, port } => write!(f, "swtpm:host={host},port={port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_tools_write_them() {
        let tcp = |host: &str, port| Address::Tcp { host: host.into(), port };
        for (text, address) in [
            ("device", Address::Device("/dev/tpmrm0".into())),
            ("device:/dev/tpm1", Address::Device("/dev/tpm1".into())),
            ("swtpm", tcp("localhost", 2321)),
            ("swtpm:port=4000", tcp("localhost", 4000)),
            ("swtpm:host=192.0.2.1,port=4000", tcp("192.0.2.1", 4000)),
            ("swtpm:path=/run/tpm", Address::Unix("/run/tpm".into())),
        ] {
            let read: Address = text.parse().unwrap();
            assert_eq!(read, address);
            assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
        for text in [
            "",
            "mssim:port=1",
            "/dev/tpmrm0",
            "swtpm:port=70000",
            "swtpm:port=",
            "swtpm:port=1,port=2",
            "swtpm:path=/a,port=1",
            "swtpm:speed=1",
            "swtpm:2321",
        ] {
            assert!(matches!(text.parse::<Address>(), Err(Error::Address(told)) if told == text), "{text}");
        }
    }
}
