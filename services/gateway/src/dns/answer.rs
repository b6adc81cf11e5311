//! Questions and answers, without sockets.

use std::net::IpAddr;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};

/// The question of a query that we take: exactly one, of class IN.
pub(super) fn question(query: &Message) -> Result<&Query, ResponseCode> {
    if query.metadata.message_type != MessageType::Query {
        return Err(ResponseCode::FormErr);
    }
    if query.metadata.op_code != OpCode::Query {
        return Err(ResponseCode::NotImp);
    }
    match query.queries.as_slice() {
        [question] if question.query_class == DNSClass::IN => Ok(question),
        [_] => Err(ResponseCode::Refused),
        _ => Err(ResponseCode::FormErr),
    }
}

/// A name as policies write it: lower case, without the trailing dot.
pub(super) fn plain(name: &Name) -> String {
    let mut text = name.to_lowercase().to_ascii();
    if text.ends_with('.') {
        text.pop();
    }
    text
}

/// An answer of our own: no data, or an error.
pub(super) fn without_data(query: &Message, code: ResponseCode) -> Message {
    let mut answer = Message::error_msg(query.metadata.id, query.metadata.op_code, code);
    answer.metadata.recursion_desired = query.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.queries.clone_from(&query.queries);
    answer
}

/// Whether an upstream's message answers what we asked.
pub(super) fn matches(asked: &Message, answer: &Message) -> bool {
    answer.metadata.id == asked.metadata.id
        && answer.metadata.message_type == MessageType::Response
        && answer.queries == asked.queries
}

/// Turns the upstream's answer into the one for the device: its id, its spelling of the name, and of an address
/// question only the records on the way from the question to the addresses.
pub(super) fn release(query: &Message, question: &Query, mut answer: Message) -> Message {
    if is_address(question.query_type) {
        let chain = chain(question.name(), &answer);
        answer.answers.retain(|record| {
            let followed = matches!(record.data, RData::CNAME(_) | RData::A(_) | RData::AAAA(_));
            followed && chain.contains(&record.name)
        });
        answer.additionals.clear();
    }
    answer.metadata.id = query.metadata.id;
    answer.metadata.authoritative = false;
    answer.metadata.authentic_data = false;
    answer.metadata.recursion_available = true;
    answer.queries.clone_from(&query.queries);
    if query.edns.is_none() {
        answer.edns = None;
    }
    answer
}

/// Addresses reached from the question's name over aliases, and the longest lifetime among their records.
pub(super) fn addresses(question: &Query, answer: &Message) -> (Vec<IpAddr>, u32) {
    let chain = chain(question.name(), answer);
    let mut found = Vec::new();
    let mut lifetime = 0;
    for record in answer.answers.iter().filter(|record| chain.contains(&record.name)) {
        let address: IpAddr = match &record.data {
            RData::A(a) => a.0.into(),
            RData::AAAA(aaaa) => aaaa.0.into(),
            _ => continue,
        };
        if !found.contains(&address) {
            found.push(address);
        }
        lifetime = lifetime.max(record.ttl);
    }
    (found, lifetime)
}

/// What the resolver makes of an upstream's answer to the question that the answer repeats: the addresses that are permitted for it,
/// and the answer as a device gets it. Nothing, if it is no message with one question.
pub fn answered(bytes: &[u8]) -> Option<(Vec<IpAddr>, Vec<u8>)> {
    let answer = Message::from_vec(bytes).ok()?;
    let mut query = Message::query();
    query.queries.clone_from(&answer.queries);
    let asked = question(&query).ok()?;
    let (found, _lifetime) = addresses(asked, &answer);
    let released = release(&query, asked, answer).to_vec().ok()?;
    Some((found, released))
}

/// The question's name and the aliases it leads to.
fn chain(start: &Name, answer: &Message) -> Vec<Name> {
    let mut chain = vec![start.clone()];
    for _ in 0..MAX_ALIASES {
        let next = answer.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(alias) if chain.last() == Some(&record.name) => Some(alias.0.clone()),
            _ => None,
        });
        match next {
            Some(name) if !chain.contains(&name) => chain.push(name),
            _ => break,
        }
    }
    chain
}

/// Whether a question asks for addresses.
pub(super) fn is_address(kind: RecordType) -> bool {
    matches!(kind, RecordType::A | RecordType::AAAA)
}

/// Whether a question asks for records that carry addresses besides the ones we follow (RFC 9460, section 7.3).
pub(super) fn hints_addresses(kind: RecordType) -> bool {
    matches!(kind, RecordType::HTTPS | RecordType::SVCB)
}

/// Aliases followed from one name.
const MAX_ALIASES: usize = 16;

#[cfg(test)]
mod tests {
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::{A, CNAME};

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn a(owner: &str, ttl: u32, address: [u8; 4]) -> Record {
        Record::from_rdata(name(owner), ttl, RData::A(A(address.into())))
    }

    fn alias(owner: &str, target: &str) -> Record {
        Record::from_rdata(name(owner), 5, RData::CNAME(CNAME(name(target))))
    }

    fn answer(records: Vec<Record>) -> Message {
        let mut message = Message::response(7, OpCode::Query);
        message.answers = records;
        message
    }

    #[test]
    fn follows_aliases_of_the_question_and_nothing_else() {
        let question = Query::query(name("Api.Example.com."), RecordType::A);
        let message = answer(vec![
            a("c.cdn.example.", 30, [192, 0, 2, 1]),
            alias("api.example.com.", "b.cdn.example."),
            alias("b.cdn.example.", "c.cdn.example."),
            a("c.cdn.example.", 90, [192, 0, 2, 2]),
            a("evil.example.", 9000, [192, 0, 2, 66]),
        ]);
        let (found, lifetime) = addresses(&question, &message);
        assert_eq!(found, [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])]);
        assert_eq!(lifetime, 90);

        let query = Message::query();
        let released = release(&query, &question, message);
        assert_eq!(released.metadata.id, query.metadata.id);
        assert_eq!(released.answers.len(), 4, "the stray record is left out");
    }

    #[test]
    fn aliases_that_turn_in_a_circle_end() {
        let question = Query::query(name("a.example."), RecordType::A);
        let message = answer(vec![alias("a.example.", "b.example."), alias("b.example.", "a.example.")]);
        assert_eq!(addresses(&question, &message), (vec![], 0));
    }

    #[test]
    fn takes_one_question_of_class_in() {
        let mut query = Message::query();
        assert_eq!(question(&query), Err(ResponseCode::FormErr));
        query.add_query(Query::query(name("a.example."), RecordType::A));
        assert!(question(&query).is_ok());
        query.metadata.op_code = OpCode::Update;
        assert_eq!(question(&query), Err(ResponseCode::NotImp));
        query.metadata.op_code = OpCode::Query;
        query.metadata.message_type = MessageType::Response;
        assert_eq!(question(&query), Err(ResponseCode::FormErr));
        query.metadata.message_type = MessageType::Query;
        query.add_query(Query::query(name("b.example."), RecordType::A));
        assert_eq!(question(&query), Err(ResponseCode::FormErr));
        query.queries.truncate(1);
        query.queries[0].query_class = DNSClass::CH;
        assert_eq!(question(&query), Err(ResponseCode::Refused));
    }

    #[test]
    fn believes_only_the_answer_to_its_question() {
        let mut asked = Message::query();
        asked.add_query(Query::query(name("a.example."), RecordType::A));
        let mut good = Message::response(asked.metadata.id, OpCode::Query);
        good.queries.clone_from(&asked.queries);
        assert!(matches(&asked, &good));
        let mut other_id = good.clone();
        other_id.metadata.id = other_id.metadata.id.wrapping_add(1);
        assert!(!matches(&asked, &other_id));
        let mut other_name = good.clone();
        other_name.queries = vec![Query::query(name("b.example."), RecordType::A)];
        assert!(!matches(&asked, &other_name));
        let mut no_answer = good;
        no_answer.metadata.message_type = MessageType::Query;
        assert!(!matches(&asked, &no_answer));
    }
}
