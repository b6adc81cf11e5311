//! A place in the document: its node, and how to get there. Paths are built on the stack and written out only when a
//! finding or an error needs one.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::MAX_ENTRIES;
use crate::error::{Error, Limit, SchemaFault};
use crate::finding::{Finding, Rule, rules};
use crate::json::{Member, Node, Value};

/// Members of one object; no object of the known modules comes near it.
const MAX_MEMBERS: usize = 64;

/// YANG modules whose nodes are understood (RFC 7951, section 4: the namespace of a member).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Module {
    /// Above all modules: members of the root object belong to none.
    Root,
    Mud,
    Acl,
    AclDns,
    AclTls,
    MudTls,
    Transparency,
    Nist,
    Reporter,
    Rats,
}

impl Module {
    fn name(self) -> &'static str {
        match self {
            Self::Root => "",
            Self::Mud => "ietf-mud",
            Self::Acl => "ietf-access-control-list",
            Self::AclDns => "ietf-acldns",
            Self::AclTls => "ietf-acl-tls",
            Self::MudTls => "ietf-mud-tls",
            Self::Transparency => "ietf-mud-transparency",
            Self::Nist => "nist-mud",
            Self::Reporter => "ietf-mud-reporter-extension",
            Self::Rats => "ietf-mud-rats",
        }
    }

    /// The prefix used inside YANG. Authoring tools write it for the module name.
    fn yang_prefix(self) -> &'static str {
        match self {
            Self::Acl => "acl",
            Self::AclTls => "acl-tls",
            Self::Transparency => "mudtx",
            Self::Rats => "mud-rats",
            _ => self.name(),
        }
    }
}

/// A JSON pointer (RFC 6901) as a list on the stack, innermost step first.
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Name(&'p str),
    Index(usize),
}

impl Path<'_> {
    pub(super) const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    pub(super) fn pointer(&self) -> String {
        let mut steps = Vec::new();
        let mut path = Some(self);
        while let Some(here) = path {
            steps.push(here.step);
            path = here.parent;
        }
        let mut pointer = String::new();
        for step in steps.iter().rev() {
            match step {
                Step::Root => continue,
                Step::Index(index) => {
                    pointer.push('/');
                    pointer.push_str(&index.to_string());
                }
                Step::Name(name) => {
                    pointer.push('/');
                    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                }
            }
        }
        pointer
    }
}

/// Findings in the order in which they were made.
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, rule: &Rule, path: &Path<'_>, message: impl Into<String>) {
        self.0.push(Finding::new(rule, path.pointer(), message.into()));
    }
}

/// A value and where it stands.
pub(super) struct Field<'p, 'a> {
    pub(super) node: &'p Node<'a>,
    pub(super) path: Path<'p>,
}

impl<'p, 'a> Field<'p, 'a> {
    pub(super) fn error(&self, fault: SchemaFault) -> Error {
        Error::Schema { path: self.path.pointer(), at: self.node.at, fault }
    }

    pub(super) fn expected(&self, what: &'static str) -> Error {
        self.error(SchemaFault::Expected(what))
    }

    pub(super) fn object<'f>(&'f self, module: Module) -> Result<Object<'f, 'a>, Error> {
        let Value::Object(members) = &self.node.value else { return Err(self.expected("an object")) };
        if members.len() > MAX_MEMBERS {
            return Err(Error::TooLarge { path: self.path.pointer(), limit: Limit::Members });
        }
        Ok(Object { members, at: self.node.at, path: &self.path, module, taken: 0 })
    }

    /// The entries of a list.
    pub(super) fn list<'f>(
        &'f self,
        most: usize,
        limit: Limit,
    ) -> Result<impl Iterator<Item = Field<'f, 'a>>, Error> {
        let Value::Array(items) = &self.node.value else { return Err(self.expected("an array")) };
        if items.len() > most {
            return Err(Error::TooLarge { path: self.path.pointer(), limit });
        }
        Ok(items
            .iter()
            .enumerate()
            .map(|(i, node)| Field { node, path: Path { parent: Some(&self.path), step: Step::Index(i) } }))
    }

    pub(super) fn entries<'f>(&'f self) -> Result<impl Iterator<Item = Field<'f, 'a>>, Error> {
        self.list(MAX_ENTRIES, Limit::Entries)
    }

    pub(super) fn text(&self) -> Result<&'p str, Error> {
        match &self.node.value {
            Value::String(text) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    /// A string of so many characters.
    pub(super) fn string(&self, min: usize, max: usize) -> Result<String, Error> {
        let text = self.text()?;
        // A character has at least one byte, so counting is needed in doubt only.
        let fits = text.len() >= min && (text.len() <= max || text.chars().count() <= max);
        if fits { Ok(text.into()) } else { Err(self.error(SchemaFault::Length { min, max })) }
    }

    pub(super) fn integer<T: TryFrom<u32>>(&self, min: u32, max: u32) -> Result<T, Error> {
        let Value::Number(text) = self.node.value else { return Err(self.expected("an integer")) };
        if !text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            return Err(self.expected("an integer"));
        }
        text.parse::<u32>()
            .ok()
            .filter(|value| (min..=max).contains(value))
            .and_then(|value| T::try_from(value).ok())
            .ok_or_else(|| self.error(SchemaFault::OutOfRange { min, max }))
    }

    pub(super) fn u8(&self) -> Result<u8, Error> {
        self.integer(0, u8::MAX.into())
    }

    pub(super) fn u16(&self) -> Result<u16, Error> {
        self.integer(0, u16::MAX.into())
    }

    pub(super) fn u32(&self) -> Result<u32, Error> {
        self.integer(0, u32::MAX)
    }

    pub(super) fn boolean(&self) -> Result<bool, Error> {
        match self.node.value {
            Value::Bool(value) => Ok(value),
            _ => Err(self.expected("a boolean")),
        }
    }

    /// A YANG `empty` leaf: `[null]` (RFC 7951, section 6.9). Other forms that tools write are taken as present.
    pub(super) fn empty(&self, findings: &mut Findings) -> Result<bool, Error> {
        match &self.node.value {
            Value::Array(items) => match items.as_slice() {
                [Node { value: Value::Null, .. }] => return Ok(true),
                [] => {}
                _ => return Err(self.expected("[null]")),
            },
            Value::Bool(true) => {}
            Value::String(text) if text.is_empty() => {}
            _ => return Err(self.expected("[null]")),
        }
        findings.add(&rules::EMPTY_LEAF, &self.path, "an empty leaf is written [null]; taken as present");
        Ok(true)
    }

    /// An identity of a module, with or without the module's name or prefix (RFC 7951, section 6.8).
    pub(super) fn identity(&self, module: Module) -> Result<&'p str, Error> {
        let text = self.text()?;
        Ok(match text.split_once(':') {
            Some((prefix, name)) if prefix == module.name() || prefix == module.yang_prefix() => name,
            _ => text,
        })
    }
}

/// An object of which members are taken one by one; what is left at the end was not understood.
pub(super) struct Object<'p, 'a> {
    members: &'p [Member<'a>],
    at: usize,
    path: &'p Path<'p>,
    module: Module,
    /// One bit per member, see [`MAX_MEMBERS`].
    taken: u64,
}

impl<'p, 'a> Object<'p, 'a> {
    /// The leaf `name` of `module`, in whichever form its name is written.
    pub(super) fn take(
        &mut self,
        findings: &mut Findings,
        module: Module,
        name: &'static str,
    ) -> Result<Option<Field<'p, 'a>>, Error> {
        let mut found: Option<Field<'p, 'a>> = None;
        let mut rule: Option<&Rule> = None;
        for (index, member) in self.members.iter().enumerate() {
            let rest = match member.name.strip_suffix(name) {
                Some(rest) if self.taken & 1 << index == 0 => rest,
                _ => continue,
            };
            let form = match rest.strip_suffix(':') {
                None if !rest.is_empty() => continue,
                None if module == self.module => None,
                None => Some(&rules::BARE_NAME),
                Some(prefix) if prefix == module.name() && module != self.module => None,
                Some(prefix) if prefix == module.name() || prefix == module.yang_prefix() => {
                    Some(&rules::NEEDLESS_PREFIX)
                }
                Some(_) => continue,
            };
            self.taken |= 1 << index;
            let field = self.field(member);
            if found.is_some() {
                return Err(field.error(SchemaFault::DuplicateMember(name)));
            }
            found = Some(field);
            rule = form;
        }
        if let (Some(field), Some(rule)) = (&found, rule) {
            findings.add(rule, &field.path, format!("this is `{name}` of module {}", module.name()));
        }
        Ok(found.filter(|field| present(findings, field)))
    }

    /// The member `name` of whatever module, for extensions whose module name is not settled.
    pub(super) fn take_local(&mut self, findings: &mut Findings, name: &str) -> Option<Field<'p, 'a>> {
        let index = self.members.iter().enumerate().position(|(index, member)| {
            self.taken & 1 << index == 0
                && member.name.rsplit_once(':').map_or(&*member.name, |(_, local)| local) == name
        })?;
        self.taken |= 1 << index;
        self.members.get(index).map(|member| self.field(member)).filter(|field| present(findings, field))
    }

    /// A mandatory leaf.
    pub(super) fn need(
        &mut self,
        findings: &mut Findings,
        module: Module,
        name: &'static str,
    ) -> Result<Field<'p, 'a>, Error> {
        let found = self.take(findings, module, name)?;
        found.ok_or_else(|| self.error(SchemaFault::Missing(name)))
    }

    /// Members that nobody took.
    pub(super) fn rest(&self) -> impl Iterator<Item = (&'p str, Field<'p, 'a>)> {
        let (members, taken, path) = (self.members, self.taken, self.path);
        members.iter().enumerate().filter(move |(index, _)| taken & 1 << index == 0).map(
            move |(_, member)| {
                let step = Step::Name(&member.name);
                (&*member.name, Field { node: &member.node, path: Path { parent: Some(path), step } })
            },
        )
    }

    /// Reports the members that nobody took as ignored, once for the object: a file may hold any number of them.
    pub(super) fn ignore_rest(&self, findings: &mut Findings, rule: &Rule) {
        let mut rest = self.rest();
        let Some((name, field)) = rest.next() else { return };
        let message = match rest.count() {
            0 => format!("node {name:?} is not understood and is ignored"),
            more => format!("node {name:?} and {more} more are not understood and are ignored"),
        };
        findings.add(rule, &field.path, message);
    }

    pub(super) fn path(&self) -> &'p Path<'p> {
        self.path
    }

    pub(super) fn error(&self, fault: SchemaFault) -> Error {
        Error::Schema { path: self.path.pointer(), at: self.at, fault }
    }

    fn field(&self, member: &'p Member<'a>) -> Field<'p, 'a> {
        Field { node: &member.node, path: Path { parent: Some(self.path), step: Step::Name(&member.name) } }
    }
}

/// A member that is null is absent (RFC 7951 has no null outside of `empty`).
fn present(findings: &mut Findings, field: &Field<'_, '_>) -> bool {
    let null = matches!(field.node.value, Value::Null);
    if null {
        findings.add(&rules::NULL_MEMBER, &field.path, "null is read as absent");
    }
    !null
}
