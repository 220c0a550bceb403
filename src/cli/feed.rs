//! `sekisho feed`: tells a PIX Manager or registry of patients (ITI-8), from options or from files of HL7 v2 messages, and
//! shows what each was acknowledged with.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::named::{Naming, charset};
use super::output::Output;
use super::peer::PeerOptions;
use super::{Exit, Outcome, Stop};
use crate::demographics::{
    Address, Authority, BirthTime, Demographics, DemographicsChange, Identifier, Name, Representation, Sex,
    Telecom,
};
use crate::ids::PatientId;
use crate::transactions::hl7v2::{Parties, Refusal, accepted, control_id};
use crate::transactions::identity::{Feed as PatientFeed, FeedEvent};
use crate::transactions::iti8::{self, Occasion};
use crate::wire::hl7v2::mllp::{MllpClient, MllpError};
use crate::wire::hl7v2::{AROUND_MESSAGES, Charset, Message};

/// Feed patients.
#[derive(Debug, Args)]
pub struct Feed {
    #[command(flatten)]
    peer: PeerOptions,
    #[command(flatten)]
    naming: Naming,
    /// Files of HL7 v2 messages, sent as they are, one after the other
    #[arg(value_name = "FILE", conflicts_with = "id")]
    files: Vec<PathBuf>,
    /// The patient, as ID^^^&OID&ISO; may be repeated: all are one person's
    #[arg(long, value_name = "CX", required_unless_present = "files")]
    id: Vec<String>,
    /// The identifier that ends, merged into --id (A40)
    #[arg(long, value_name = "CX", requires = "id")]
    subsumed: Option<String>,
    /// What happened
    #[arg(long, value_enum, default_value_t = Event::A04, conflicts_with = "subsumed")]
    event: Event,
    /// A name; may be repeated, kanji, kana and Latin letters are told apart
    #[arg(long, value_name = "FAMILY^GIVEN", requires = "id")]
    name: Vec<String>,
    /// Birth, YYYYMMDD
    #[arg(long, value_name = "DATE", requires = "id")]
    birth: Option<String>,
    /// Administrative sex
    #[arg(long, value_name = "M|F|O|U", value_parser = ["M", "F", "O", "U"], requires = "id")]
    sex: Option<String>,
    /// Address, as one text
    #[arg(long, requires = "id")]
    address: Option<String>,
    /// Postal code
    #[arg(long, requires = "id")]
    postcode: Option<String>,
    /// Telephone number
    #[arg(long, requires = "id")]
    phone: Option<String>,
    /// Sending application (MSH-3)
    #[arg(long, value_name = "NAME", default_value = "SEKISHO")]
    application: String,
    /// Sending facility (MSH-4)
    #[arg(long, value_name = "NAME", default_value = "SEKISHO")]
    facility: String,
    /// Receiving application (MSH-5)
    #[arg(long, value_name = "NAME", default_value = "PIX")]
    to_application: String,
    /// Receiving facility (MSH-6)
    #[arg(long, value_name = "NAME", default_value = "PIX")]
    to_facility: String,
    /// Character set of what is sent, and of files that do not say theirs
    #[arg(long, value_name = "NAME", default_value = "UNICODE UTF-8", value_parser = charset)]
    charset: Charset,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// What a message tells (HL7 table 0003).
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Event {
    /// Admission
    #[value(name = "A01")]
    A01,
    /// Registration
    #[value(name = "A04")]
    A04,
    /// Pre-admission
    #[value(name = "A05")]
    A05,
    /// Change
    #[value(name = "A08")]
    A08,
}

/// A message to send.
struct Outgoing {
    control_id: String,
    event: String,
    bytes: Vec<u8>,
}

/// What came of one.
struct Told {
    control_id: String,
    event: String,
    took: Duration,
    answer: Result<(), Denied>,
}

enum Denied {
    Refused(Refusal),
    Unavailable(MllpError),
}

impl Feed {
    /// Sends everything and shows the acknowledgements; stops where the peer is not to be reached.
    pub async fn run(self) -> Outcome {
        let (client, patience) = self.peer.mllp()?;
        let messages = self.messages().await?;
        let output = Output::new(self.json);
        let mut told = Vec::new();
        for message in messages {
            let one = self.send(&client, message, patience).await;
            let is_last = matches!(one.answer, Err(Denied::Unavailable(_)));
            told.push(one);
            if is_last {
                break;
            }
        }
        show(output, &told);
        Ok(told.iter().map(Told::exit).max_by_key(|exit| *exit as u8).unwrap_or(Exit::Done))
    }

    async fn send(&self, client: &MllpClient, message: Outgoing, patience: Duration) -> Told {
        let Outgoing { control_id, event, bytes } = message;
        let started = Instant::now();
        let answer = match client.send(&bytes, started + patience).await {
            Ok(answer) => match Message::read(&answer, self.charset) {
                Ok(answer) => accepted(&answer, &control_id).map_err(Denied::Refused),
                Err(_) => Err(Denied::Refused(Refusal::NotAnAnswer)),
            },
            Err(error) => Err(Denied::Unavailable(error)),
        };
        Told { control_id, event, took: started.elapsed(), answer }
    }

    async fn messages(&self) -> Result<Vec<Outgoing>, Stop> {
        if self.files.is_empty() {
            return Ok(vec![self.message()?]);
        }
        let mut messages = Vec::new();
        for file in &self.files {
            let bytes = tokio::fs::read(file).await.map_err(|error| unusable(file, error))?;
            for bytes in split(&bytes) {
                let header =
                    Message::read_header(&bytes, self.charset).map_err(|error| unusable(file, error))?;
                messages.push(Outgoing {
                    control_id: header.field("MSH", 10).value().into_owned(),
                    event: header.field("MSH", 9).component(2).value().into_owned(),
                    bytes,
                });
            }
        }
        Ok(messages)
    }

    /// The message that the options describe.
    fn message(&self) -> Result<Outgoing, Stop> {
        let change = Box::new(DemographicsChange::set(&self.person()?));
        let named = |text: &String| Ok(identifier(&self.naming.patient(text)?));
        let identifiers = self.id.iter().map(named).collect::<Result<Vec<_>, Stop>>()?;
        let subsumed = self.subsumed.as_ref().map(named).transpose()?;
        let event = match (subsumed, identifiers.first()) {
            (Some(subsumed), Some(surviving)) => {
                FeedEvent::Merge { surviving: surviving.clone(), nth: 1, subsumed, change }
            }
            _ => FeedEvent::Announce { identifiers, ended: Vec::new(), change, visit: None },
        };
        let source = (self.application.clone(), self.facility.clone());
        let parties = Parties {
            sender: source.clone(),
            receiver: (self.to_application.clone(), self.to_facility.clone()),
            charset: self.charset,
        };
        let occasion = match self.event {
            Event::A01 => Occasion::Admission,
            Event::A04 => Occasion::Registration,
            Event::A05 => Occasion::PreAdmission,
            Event::A08 => Occasion::Update,
        };
        let control_id = control_id();
        let message = iti8::request(&PatientFeed { event, source }, occasion, &parties, &control_id);
        let encoded = message.encode(self.charset);
        if encoded.replaced > 0 {
            let problem = format!("{} cannot hold {} of the characters", self.charset, encoded.replaced);
            return Err(Stop::new(Exit::Usage, format!("{problem}; send them in UNICODE UTF-8")));
        }
        let event = if self.subsumed.is_some() { "A40".to_owned() } else { format!("{:?}", self.event) };
        Ok(Outgoing { control_id, event, bytes: encoded.bytes })
    }

    fn person(&self) -> Result<Demographics, Stop> {
        let birth = self.birth.as_deref().map(|text| {
            BirthTime::parse(text)
                .ok_or_else(|| Stop::new(Exit::Usage, "--birth: write the date as YYYYMMDD"))
        });
        let sex = self.sex.as_deref().map(|code| match code {
            "M" => Sex::Male,
            "F" => Sex::Female,
            "O" => Sex::Other,
            _ => Sex::Unknown,
        });
        let address = self.address.is_some() || self.postcode.is_some();
        let address = address.then(|| Address {
            kind: "H".to_owned(),
            street: self.address.clone().unwrap_or_default(),
            postcode: self.postcode.clone().unwrap_or_default(),
            ..Address::default()
        });
        let telecom = self.phone.iter().map(|phone| Telecom { value: phone.clone(), ..Telecom::default() });
        Ok(Demographics {
            names: self.name.iter().map(|text| name(text)).collect(),
            birth: birth.transpose()?,
            sex,
            addresses: address.into_iter().collect(),
            telecoms: telecom.collect(),
            ..Demographics::default()
        })
    }
}

fn identifier(patient: &PatientId) -> Identifier {
    Identifier {
        id: patient.id().to_owned(),
        authority: Authority::of_oid(patient.authority().as_str()),
        ..Identifier::default()
    }
}

/// A name, with the script that its characters are of.
fn name(text: &str) -> Name {
    let (family, given) = text.split_once('^').unwrap_or((text, ""));
    let is_kana = |c: char| matches!(c, '\u{3041}'..='\u{30ff}' | '\u{ff61}'..='\u{ff9f}');
    let letters = || text.chars().filter(|c| c.is_alphabetic() || *c == 'ー');
    let representation = match letters().next() {
        None => None,
        Some(_) if text.is_ascii() => Some(Representation::Alphabetic),
        Some(_) if letters().all(is_kana) => Some(Representation::Phonetic),
        Some(_) => Some(Representation::Ideographic),
    };
    Name { representation, family: family.to_owned(), given: given.to_owned(), ..Name::default() }
}

/// The messages of a file: each begins with MSH. Ends of lines become CR, and what frames them over MLLP or as a batch is
/// left out; in no character set is either a part of another character.
fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = Vec::new();
    let lines = bytes.split(|byte| matches!(byte, b'\r' | b'\n' | 0x0b | 0x1c));
    for line in lines.map(|line| line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)) {
        if AROUND_MESSAGES.iter().any(|name| line.starts_with(name)) {
            continue;
        }
        if line.starts_with(b"MSH") || (messages.is_empty() && !line.is_empty()) {
            messages.push(Vec::new());
        }
        if let Some(message) = messages.last_mut().filter(|_| !line.is_empty()) {
            message.extend_from_slice(line);
            message.push(b'\r');
        }
    }
    messages
}

fn unusable(file: &Path, problem: impl std::fmt::Display) -> Stop {
    Stop::new(Exit::Usage, format!("{}: {problem}", file.display()))
}

fn show(output: Output, told: &[Told]) {
    let row = |told: &Told| {
        let took = format!("{} ms", told.took.as_millis());
        [told.control_id.clone(), told.event.clone(), told.code().to_owned(), took, told.problem()]
    };
    let rows: Vec<_> = told.iter().map(row).collect();
    output.table(["message", "event", "answer", "took", "what is wrong"], &rows);
    let messages = told.iter().map(|told| {
        json!({
            "message": told.control_id,
            "event": told.event,
            "answer": told.code(),
            "milliseconds": told.took.as_millis() as u64,
            "problem": told.problem(),
        })
    });
    let accepted = told.iter().filter(|told| told.answer.is_ok()).count();
    output.json(&json!({ "accepted": accepted, "messages": messages.collect::<Vec<_>>() }));
}

impl Told {
    fn exit(&self) -> Exit {
        match &self.answer {
            Ok(()) => Exit::Done,
            Err(Denied::Refused(_)) => Exit::No,
            Err(Denied::Unavailable(_)) => Exit::Unavailable,
        }
    }
    fn code(&self) -> &'static str {
        match &self.answer {
            Ok(()) => "AA",
            Err(Denied::Refused(Refusal::Refused(code, _))) => code.application(),
            Err(Denied::Refused(Refusal::NotAnAnswer)) => "?",
            Err(Denied::Unavailable(_)) => "-",
        }
    }
    fn problem(&self) -> String {
        match &self.answer {
            Ok(()) => String::new(),
            Err(Denied::Refused(Refusal::Refused(_, errors))) => {
                let errors = errors.iter().map(|error| {
                    let parts = [&error.location, &error.code, &error.text].map(String::as_str);
                    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
                });
                errors.collect::<Vec<_>>().join("; ")
            }
            Err(Denied::Refused(refusal)) => refusal.to_string(),
            Err(Denied::Unavailable(error)) => error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_messages_however_their_lines_end() {
        for file in [
            "MSH|1\rPID|1\rMSH|2\r",
            "MSH|1\r\nPID|1\r\n\r\nMSH|2",
            "\u{feff}MSH|1\nPID|1\nMSH|2\n",
            "\u{b}MSH|1\rPID|1\r\u{1c}\r\u{b}MSH|2\r\u{1c}\r",
            "FHS|a\rBHS|a\rMSH|1\rPID|1\rMSH|2\rBTS|2\rFTS|1\r",
        ] {
            assert_eq!(split(file.as_bytes()), [b"MSH|1\rPID|1\r".to_vec(), b"MSH|2\r".to_vec()], "{file:?}");
        }
        assert_eq!(split(b"hello\nworld"), [b"hello\rworld\r".to_vec()]);
    }

    #[test]
    fn the_script_of_a_name_is_told_by_its_characters() {
        for (text, representation) in [
            ("山田^花子", Some(Representation::Ideographic)),
            ("やまだ^はなこ", Some(Representation::Phonetic)),
            ("ヤマダ^マリー", Some(Representation::Phonetic)),
            ("Yamada^Hanako", Some(Representation::Alphabetic)),
            ("^", None),
        ] {
            assert_eq!(name(text).representation, representation, "{text}");
        }
    }
}
