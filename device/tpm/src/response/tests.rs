//! Answers of `swtpm`, and what they must not be changed to.

use super::*;

macro_rules! answer {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/answers/", $name)).as_slice()
    };
}

/// Reads an answer, and forgets what it says.
type Read = fn(&[u8]) -> Result<(), Error>;

const ANSWERS: [(&[u8], Read); 10] = [
    (answer!("primary"), |bytes| primary(bytes).map(drop)),
    (answer!("created"), |bytes| created(bytes).map(drop)),
    (answer!("loaded"), |bytes| loaded(bytes).map(drop)),
    (answer!("signature"), |bytes| signature(bytes).map(drop)),
    (answer!("sequence"), |bytes| sequence(bytes).map(drop)),
    (answer!("updated"), updated),
    (answer!("completed"), |bytes| completed(bytes).map(drop)),
    (answer!("public"), |bytes| public(bytes).map(drop)),
    (answer!("flushed"), flushed),
    (answer!("handles"), |bytes| handles(bytes).map(drop)),
];

/// The same with its length as it is.
fn measured(mut bytes: Vec<u8>) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap();
    bytes[2..6].copy_from_slice(&len.to_be_bytes());
    bytes
}

fn rule(error: Error) -> &'static str {
    match error {
        Error::Malformed { rule, .. } => rule,
        other => panic!("{other}"),
    }
}

#[test]
fn answers_are_read() {
    assert_eq!(primary(answer!("primary")).unwrap(), 0x8000_0000);
    assert_eq!(loaded(answer!("loaded")).unwrap(), 0x8000_0001);
    assert_eq!(sequence(answer!("sequence")).unwrap(), 0x8000_0000);
    assert_eq!(handles(answer!("handles")).unwrap(), [0x8000_0000, 0x8000_0001, 0x8000_0002]);
    let made = created(answer!("created")).unwrap();
    assert_eq!((made.private.len(), made.public.len()), (158, 48));
    assert_eq!(public(answer!("public")).unwrap().len(), 88);
    assert_eq!(signature(answer!("signature")).unwrap()[..2], answer!("signature")[20..22]);
    assert_eq!(completed(answer!("completed")).unwrap()[..2], [0xa5, 0xfd]);
}

#[test]
fn no_part_of_an_answer_is_one_and_nothing_may_follow() {
    for (bytes, read) in ANSWERS {
        read(bytes).unwrap();
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err());
            if end >= HEAD {
                assert!(
                    matches!(read(&measured(bytes[..end].to_vec())), Err(Error::Malformed { .. })),
                    "{end}"
                );
            }
        }
        let more = [bytes, &[0]].concat();
        assert_eq!(rule(read(&more).unwrap_err()), "its length is another than it says");
        assert_eq!(rule(read(&measured(more)).unwrap_err()), "bytes follow the end");
    }
}

#[test]
fn an_answer_is_to_the_command_that_was_sent() {
    for (number, (_, read)) in ANSWERS.iter().enumerate() {
        for (other, (bytes, _)) in ANSWERS.iter().enumerate().filter(|(other, _)| *other != number) {
            assert!(read(bytes).is_err(), "{other} as {number}");
        }
        match read(answer!("refused")) {
            Err(Error::Refused { code: ResponseCode(ResponseCode::OBJECT_MEMORY), command }) => {
                assert!(command.starts_with("TPM2_"));
            }
            other => panic!("{other:?}"),
        }
        // A refusal says nothing else.
        let more = measured([answer!("refused"), &[0]].concat());
        assert_eq!(rule(read(&more).unwrap_err()), "bytes follow the end");
    }
    // A key of HMACs "signs" too.
    assert_eq!(rule(signature(answer!("signature-by-hmac")).unwrap_err()), "the signature is none of ECDSA");
}

#[test]
fn limits_hold() {
    let head = |len: u32| [&[0x80, 1], &len.to_be_bytes()[..], &[0; 4]].concat();
    let limit = u32::try_from(MAX_LEN).unwrap();
    assert_eq!(len(&head(limit)).unwrap(), Some(MAX_LEN));
    assert_eq!(len(&head(10)).unwrap(), Some(HEAD));
    assert!(len(&head(limit + 1)).is_err() && len(&head(9)).is_err());
    assert_eq!(len(&head(10)[..9]).unwrap(), None);

    let of_part = |count: usize| {
        let part = [&u16::try_from(count).unwrap().to_be_bytes()[..], &vec![7; count]].concat();
        public(&measured([&head(0), &part[..], &[0; 4]].concat()))
    };
    assert_eq!(of_part(MAX_PART).unwrap().len(), MAX_PART);
    assert_eq!(rule(of_part(MAX_PART + 1).unwrap_err()), "a part is longer than it may be");

    let of_handles = |count: u32| {
        let list = (0..count).flat_map(|number| (0x8000_0000 + number).to_be_bytes()).collect::<Vec<_>>();
        handles(&measured([&head(0), &[0, 0, 0, 0, 1][..], &count.to_be_bytes(), &list].concat()))
    };
    assert_eq!(of_handles(MAX_HANDLES).unwrap().len(), 64);
    assert_eq!(rule(of_handles(MAX_HANDLES + 1).unwrap_err()), "there are more handles than were asked for");
}

#[test]
fn only_what_is_loaded_is_ever_given_up() {
    // A handle of a persistent object: giving it up would be refused, or worse.
    let mut bytes = answer!("loaded").to_vec();
    bytes[10] = 0x81;
    assert_eq!(rule(loaded(&bytes).unwrap_err()), "the handle is none of a loaded object");
    let mut bytes = answer!("handles").to_vec();
    bytes[19] = 0x02;
    assert_eq!(rule(handles(&bytes).unwrap_err()), "the handle is none of a loaded object");
}

#[test]
fn numbers_of_a_signature_have_full_width() {
    // r of one byte, s of 32.
    let parameters = [&[0, 0x18, 0, 0x0b, 0, 1, 9, 0, 32][..], &[3; 32]].concat();
    let session = [0, 0, 1, 0, 0];
    let len = u32::try_from(parameters.len()).unwrap().to_be_bytes();
    let made = [&[0x80, 2, 0, 0, 0, 0, 0, 0, 0, 0][..], &len, &parameters, &session].concat();
    let signature = signature(&measured(made)).unwrap();
    assert_eq!((&signature[..31], signature[31], &signature[32..]), (&[0; 31][..], 9, &[3; 32][..]));
}
