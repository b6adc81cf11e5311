//! Values that are an integer from a registry or a text.

/// Defines an enum over a registry of integers that may also be private integers or texts, with its encoding.
macro_rules! registry {
    (
        $(#[$meta:meta])* $name:ident in $low:literal..=$high:literal {
            $($(#[$variant_meta:meta])* $variant:ident = $value:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
            /// Another integer; negative ones are for private use.
            Other(i64),
            /// A name.
            Named(alloc::string::String),
        }

        impl $name {
            /// The value with this number in the registry.
            pub fn from_int(value: i64) -> Self {
                match value {
                    $($value => Self::$variant,)+
                    other => Self::Other(other),
                }
            }

            pub(crate) fn decode(reader: &mut cbor::Reader<'_>) -> Result<Self, cbor::Error> {
                if reader.peek()? == cbor::Type::Text {
                    return crate::wire::text(reader).map(Self::Named);
                }
                let at = reader.position();
                let value = reader.int()?;
                if !($low..=$high).contains(&value) {
                    return Err(cbor::Error::new(at, cbor::Reason::OutOfRange));
                }
                Ok(Self::from_int(value))
            }

            pub(crate) fn encode(&self, writer: &mut cbor::Writer) {
                match self {
                    $(Self::$variant => writer.int($value),)+
                    Self::Other(value) => writer.int(*value),
                    Self::Named(name) => writer.text(name),
                };
            }
        }
    };
}

pub(crate) use registry;
