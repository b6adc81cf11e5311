//! Access control lists and their entries (RFC 8519, section 4.1).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::cursor::{Field, Module, Object};
use super::extensions::all_understood;
use super::{MAX_ACES, MAX_ACLS, Reading, Refusal};
use crate::error::{Error, Limit, SchemaFault};
use crate::finding::{Finding, rules};
use crate::model::{Ace, AceBody, Acl, AclType, Forwarding, Matches};

const MAX_NAME: usize = 64;

impl Reading<'_, '_> {
    /// The container of the lists.
    pub(super) fn acls(&mut self, field: &Field<'_, '_>) -> Result<Vec<Acl>, Error> {
        let mut container = field.object(Module::Acl)?;
        let mut acls = Vec::new();
        let mut keys = BTreeSet::new();
        if let Some(list) = container.take(&mut self.findings, Module::Acl, "acl")? {
            for entry in list.list(MAX_ACLS, Limit::Acls)? {
                let acl = self.acl(&entry)?;
                if !keys.insert(acl.name.clone()) {
                    return Err(entry.error(SchemaFault::DuplicateKey(acl.name)));
                }
                acls.push(acl);
            }
        }
        if let Some(points) = container.take(&mut self.findings, Module::Acl, "attachment-points")? {
            let message = "a manufacturer knows no interfaces of this network; ignored";
            self.findings.add(&rules::OUT_OF_PLACE, &points.path, message);
        }
        container.ignore_rest(&mut self.findings, &rules::UNKNOWN_NODE);
        Ok(acls)
    }

    fn acl(&mut self, field: &Field<'_, '_>) -> Result<Acl, Error> {
        let mut object = field.object(Module::Acl)?;
        let name = self.key(&mut object)?;
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
            let message = format!("list name {name:?} has spaces or special characters");
            self.findings.add(&rules::ACL_NAME, object.path(), message);
        }
        let acl_type = match object.take(&mut self.findings, Module::Acl, "type")? {
            Some(field) => Some(self.acl_type(&field)?),
            None => None,
        };
        let mut aces: Vec<Ace> = Vec::new();
        let mut keys = BTreeSet::new();
        if let Some(container) = object.take(&mut self.findings, Module::Acl, "aces")? {
            let mut container = container.object(Module::Acl)?;
            if let Some(list) = container.take(&mut self.findings, Module::Acl, "ace")? {
                for entry in list.list(MAX_ACES, Limit::Aces)? {
                    self.aces += 1;
                    if self.aces > MAX_ACES {
                        return Err(Error::TooLarge { path: list.path.pointer(), limit: Limit::Aces });
                    }
                    let ace = self.ace(&entry, acl_type)?;
                    if !keys.insert(ace.name.clone()) {
                        return Err(entry.error(SchemaFault::DuplicateKey(ace.name)));
                    }
                    aces.push(ace);
                }
            }
            container.ignore_rest(&mut self.findings, &rules::UNKNOWN_IN_ACL);
        }
        object.ignore_rest(&mut self.findings, &rules::UNKNOWN_IN_ACL);
        if acl_type.is_none() {
            let message = "the list has no type; each entry says itself which family it is about";
            self.findings.add(&rules::NO_TYPE, &field.path, message);
        }
        Ok(Acl { name, acl_type, aces })
    }

    fn acl_type(&mut self, field: &Field<'_, '_>) -> Result<AclType, Error> {
        let name = field.identity(Module::Acl)?;
        if let Some(acl_type) = AclType::ALL.into_iter().find(|t| t.name() == name) {
            return Ok(acl_type);
        }
        let acl_type = match name {
            "ethernet-acl-type" => AclType::Eth,
            "ipv4" => AclType::Ipv4,
            "ipv6" => AclType::Ipv6,
            _ => return Err(field.expected("the type of an access control list")),
        };
        let message = format!("the type is called {}", acl_type.name());
        self.findings.add(&rules::OLD_TYPE, &field.path, message);
        Ok(acl_type)
    }

    fn ace(&mut self, field: &Field<'_, '_>, acl_type: Option<AclType>) -> Result<Ace, Error> {
        let mut object = field.object(Module::Acl)?;
        let name = self.key(&mut object)?;
        let forwarding = {
            let actions = object.need(&mut self.findings, Module::Acl, "actions")?;
            self.actions(&actions)?
        };
        // Counters of a running system; they say nothing here.
        if let Some(statistics) = object.take(&mut self.findings, Module::Acl, "statistics")? {
            self.findings.add(&rules::OUT_OF_PLACE, &statistics.path, "state data; ignored");
        }
        let matches = object.take(&mut self.findings, Module::Acl, "matches")?;
        let understood = match &matches {
            Some(matches) => self.matches(matches, acl_type),
            None => Ok(Matches::default()),
        };
        let body = match understood.and_then(|matches| all_understood(&object).map(|()| matches)) {
            Ok(matches) => AceBody::Matches(matches),
            Err(Refusal::File(error)) => return Err(error),
            Err(Refusal::Ace(finding)) => self.refuse(finding, field),
        };
        Ok(Ace { name, body, forwarding })
    }

    fn refuse(&mut self, finding: Finding, entry: &Field<'_, '_>) -> AceBody {
        let code = finding.code;
        self.findings.0.push(finding);
        AceBody::Refused { code, entry: self.raw(entry.node) }
    }

    fn actions(&mut self, field: &Field<'_, '_>) -> Result<Forwarding, Error> {
        let mut object = field.object(Module::Acl)?;
        let field = object.need(&mut self.findings, Module::Acl, "forwarding")?;
        let forwarding = match field.identity(Module::Acl)? {
            "accept" => Forwarding::Accept,
            "drop" => Forwarding::Drop,
            "reject" => Forwarding::Reject,
            _ => return Err(field.expected("accept, drop or reject")),
        };
        if forwarding == Forwarding::Reject {
            self.findings.add(&rules::REJECT, &field.path, "an author should use accept and drop only");
        }
        if let Some(logging) = object.take(&mut self.findings, Module::Acl, "logging")?
            && logging.identity(Module::Acl)? != "log-none"
        {
            self.findings.add(&rules::OTHER_ACTION, &logging.path, "logging is the site's choice; ignored");
        }
        object.ignore_rest(&mut self.findings, &rules::OTHER_ACTION);
        Ok(forwarding)
    }

    fn key(&mut self, object: &mut Object<'_, '_>) -> Result<String, Error> {
        object.need(&mut self.findings, Module::Acl, "name")?.string(1, MAX_NAME)
    }
}
