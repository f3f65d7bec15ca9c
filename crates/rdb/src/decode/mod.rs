//! Pulls the elements out of a value, one at a time, holding no more than one of them or one packed string.

mod node;
mod room;
mod stream;

use std::io::Read;

use room::{Group, PackedPart, Plain, Room, field};
use stream::StreamDecoder;

use crate::input::Input;
use crate::module;
use crate::packed::Packed;
use crate::template::{self, Fields, Templates};
use crate::walk::{PACKED_NODE, PLAIN_NODE};
use crate::{Element, Error, Result, Text, ValueType};

/// Where decoding a value stands.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    state: State,
    room: Room,
    /// Elements given out so far.
    given: u64,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Done,
    String,
    Plain {
        form: Plain,
        left: u64,
    },
    Packed(PackedPart),
    Quicklist {
        packed: Packed,
        nodes: u64,
        part: Option<PackedPart>,
    },
    Stream(Box<StreamDecoder>),
    TemplatePacked {
        fields: Fields,
        index: usize,
        at: usize,
    },
    TemplatePlain {
        fields: Fields,
        index: usize,
    },
    Module,
}

impl Decoder {
    /// Starts a value whose type and key are read already.
    pub(crate) fn start<R: Read>(
        &mut self,
        input: &mut Input<R>,
        value_type: ValueType,
        templates: &Templates,
    ) -> Result<()> {
        use ValueType as T;
        self.given = 0;
        self.state = State::Done;
        self.state = match value_type {
            T::String => State::String,
            T::List => self.plain(input, Plain::Item, 1)?,
            T::Set => self.plain(input, Plain::Member, 1)?,
            T::SortedSet => self.plain(input, Plain::DecimalScore, 2)?,
            T::SortedSet2 => self.plain(input, Plain::Score, 9)?,
            T::Hash => self.plain(input, Plain::Field, 2)?,
            T::ValkeyHash2 => self.plain(input, Plain::FieldExpiryLast, 10)?,
            T::HashMetadataPreGa => {
                self.plain(input, Plain::FieldExpiryFirst { value_type, earliest: 0 }, 3)?
            }
            T::HashMetadata => {
                let earliest = input.milliseconds("a field's expiry")?;
                if earliest < 0 {
                    return Err(Error::malformed(input.offset(), "a field's expiry is negative"));
                }
                self.plain(input, Plain::FieldExpiryFirst { value_type, earliest }, 3)?
            }
            T::HashZipmap => State::Packed(self.packed(input, Packed::Zipmap, Group::Field)?),
            T::ListZiplist => State::Packed(self.packed(input, Packed::Ziplist, Group::Item)?),
            T::SetIntset => State::Packed(self.packed(input, Packed::Intset, Group::Member)?),
            T::SortedSetZiplist => State::Packed(self.packed(input, Packed::Ziplist, Group::Scored)?),
            T::HashZiplist => State::Packed(self.packed(input, Packed::Ziplist, Group::Field)?),
            T::HashListpack => State::Packed(self.packed(input, Packed::Listpack, Group::Field)?),
            T::SortedSetListpack => State::Packed(self.packed(input, Packed::Listpack, Group::Scored)?),
            T::SetListpack => State::Packed(self.packed(input, Packed::Listpack, Group::Member)?),
            T::HashListpackExPreGa => {
                State::Packed(self.packed(input, Packed::Listpack, Group::FieldExpiry)?)
            }
            T::HashListpackEx => {
                input.milliseconds("a field's expiry")?;
                State::Packed(self.packed(input, Packed::Listpack, Group::FieldExpiry)?)
            }
            T::ListQuicklist => quicklist(input, Packed::Ziplist)?,
            T::ListQuicklist2 => quicklist(input, Packed::Listpack)?,
            T::StreamListpacks
            | T::StreamListpacks2
            | T::StreamListpacks3
            | T::StreamListpacks4
            | T::StreamListpacks5 => State::Stream(Box::new(StreamDecoder::start(input, value_type)?)),
            T::Array => {
                let count = input.count(3, "a number of elements")?;
                if input.plain_length("an array's mark")? != 0 {
                    input.plain_length("an array's insert index")?;
                }
                State::Plain { form: Plain::Slot, left: count }
            }
            T::HashTemplateListpack | T::HashTemplateArray => self.template(input, value_type)?,
            T::HashTemplateListpackRef => {
                self.template_packed(input, |number| templates.get(number).cloned())?
            }
            T::HashTemplateArrayRef => {
                State::TemplatePlain { fields: templates.next_named(input)?, index: 0 }
            }
            T::Module2 => State::Module,
            T::ModulePreGa => return Err(module::opaque(input)),
        };
        Ok(())
    }

    /// Elements given out since the value was started.
    pub(crate) fn given(&self) -> u64 {
        self.given
    }

    /// Gives the next element; `None` at the end of the value.
    pub(crate) fn next<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<Element<'_>>> {
        // A value that failed gives nothing more; whoever goes on after an element puts the state back.
        loop {
            match std::mem::take(&mut self.state) {
                State::Done => return Ok(None),
                State::String => {
                    self.given += 1;
                    input.read_string(&mut self.room.first, &mut self.room.lzf, "a string")?;
                    return Ok(Some(Element::String(self.room.first.text())));
                }
                State::Plain { left: 0, .. } | State::Packed(PackedPart { left: 0, .. }) => {}
                State::Plain { form, left } => {
                    self.given += 1;
                    let element = self.room.plain_element(input, form)?;
                    self.state = State::Plain { form, left: left - 1 };
                    return Ok(Some(element));
                }
                State::Packed(mut part) => {
                    self.given += 1;
                    let element = self.room.packed_element(input, &mut part)?;
                    self.state = State::Packed(part);
                    return Ok(Some(element));
                }
                State::Quicklist { packed, nodes, part: Some(mut part) } if part.left > 0 => {
                    self.given += 1;
                    let element = self.room.packed_element(input, &mut part)?;
                    self.state = State::Quicklist { packed, nodes, part: Some(part) };
                    return Ok(Some(element));
                }
                State::Quicklist { nodes: 0, .. } => {}
                State::Quicklist { packed, nodes, .. } => {
                    let part = self.quicklist_node(input, packed)?;
                    self.state = State::Quicklist { packed, nodes: nodes - 1, part };
                    if part.is_none() {
                        self.given += 1;
                        return Ok(Some(Element::Item(self.room.first.text())));
                    }
                }
                State::Stream(mut stream) => {
                    let Some(step) = stream.step(input, &mut self.room)? else { continue };
                    self.given += 1;
                    self.state = State::Stream(stream);
                    return Ok(Some(Element::Stream(step.part(&self.room))));
                }
                State::TemplatePacked { fields, index, .. } | State::TemplatePlain { fields, index }
                    if index >= fields.len() => {}
                State::TemplatePacked { fields, index, at } => {
                    self.given += 1;
                    self.room.set_name(&fields[index]);
                    let Some((value, next)) = Packed::Listpack.entry(&self.room.packed.bytes, at, false)
                    else {
                        return Err(Error::malformed(input.offset(), "a listpack ends early"));
                    };
                    self.state = State::TemplatePacked { fields, index: index + 1, at: next };
                    return Ok(Some(field(self.room.first.text(), value, None)));
                }
                State::TemplatePlain { fields, index } => {
                    self.given += 1;
                    self.room.set_name(&fields[index]);
                    let Room { first, second, lzf, .. } = &mut self.room;
                    input.read_string(second, lzf, "a field's value")?;
                    self.state = State::TemplatePlain { fields, index: index + 1 };
                    return Ok(Some(field(first.text(), second.text(), None)));
                }
                State::Module => {
                    self.given += 1;
                    return Ok(Some(Element::Module(module::skip_module(input)?)));
                }
            }
        }
    }

    /// Starts elements that stand one after the other.
    fn plain<R: Read>(&mut self, input: &mut Input<R>, form: Plain, each: u64) -> Result<State> {
        let left = input.count(each, "a number of elements")?;
        if !matches!(form, Plain::Item) {
            self.room.distinct.start(left, input.limits.max_remembered);
        }
        Ok(State::Plain { form, left })
    }

    /// Reads a node of a list: a packed part, or an item of its own (`None`), which is then in the room.
    fn quicklist_node<R: Read>(
        &mut self,
        input: &mut Input<R>,
        packed: Packed,
    ) -> Result<Option<PackedPart>> {
        // Ziplists have no mark in front.
        let form =
            if packed == Packed::Ziplist { PACKED_NODE } else { input.plain_length("a node's form")? };
        match form {
            PACKED_NODE => self.packed(input, packed, Group::Item).map(Some),
            PLAIN_NODE => {
                input.read_string(&mut self.room.first, &mut self.room.lzf, "a list item")?;
                Ok(None)
            }
            _ => Err(Error::malformed(input.offset(), "a list's node has an unknown form")),
        }
    }

    /// Reads and checks a packed string.
    fn packed<R: Read>(&mut self, input: &mut Input<R>, packed: Packed, group: Group) -> Result<PackedPart> {
        let count = self.room.read_packed(input, packed)?;
        if count % group.len() != 0 {
            return Err(Error::malformed(input.offset(), "a packed string has a name without a value"));
        }
        let left = count / group.len();
        let Room { packed: slot, distinct, .. } = &mut self.room;
        distinct.start(left as u64, input.limits.max_remembered_at_hand);
        if group != Group::Item && !packed.is_distinct(&slot.bytes, group.len(), distinct) {
            return Err(Error::malformed(input.offset(), "a packed string has the same element twice"));
        }
        Ok(PackedPart { packed, group, at: packed.first(), left })
    }

    /// Starts a hash with its field names in front.
    fn template<R: Read>(&mut self, input: &mut Input<R>, value_type: ValueType) -> Result<State> {
        let fields = match input.plain_length("a template's form")? {
            0 => {
                let count = self.room.read_packed(input, Packed::Listpack)?;
                template::check_size(input, count as u64, self.room.packed.bytes.len() as u64)?;
                let mut fields: Vec<Box<[u8]>> = Vec::with_capacity(count);
                let mut at = Packed::Listpack.first();
                while let Some((name, next)) = Packed::Listpack.entry(&self.room.packed.bytes, at, false) {
                    fields.push(name.to_vec().into());
                    at = next;
                }
                template::check_order(&fields).map_err(|what| Error::malformed(input.offset(), what))?;
                fields.into()
            }
            1 => template::read_fields(input, &mut self.room.lzf, &mut 0)?,
            _ => return Err(Error::malformed(input.offset(), "a template has an unknown form")),
        };
        if value_type == ValueType::HashTemplateArray {
            return Ok(State::TemplatePlain { fields, index: 0 });
        }
        self.template_packed(input, |_| Some(fields))
    }

    /// Starts the values of a hash in a listpack, whose first entry is the number of the template.
    fn template_packed<R: Read>(
        &mut self,
        input: &mut Input<R>,
        find: impl FnOnce(u64) -> Option<Fields>,
    ) -> Result<State> {
        let count = self.room.read_packed(input, Packed::Listpack)?;
        let first = Packed::Listpack.entry(&self.room.packed.bytes, Packed::Listpack.first(), false);
        let Some((Text::Int(number), at)) = first else {
            return Err(Error::malformed(input.offset(), "a template's number is not an integer"));
        };
        let Some(fields) = u64::try_from(number).ok().and_then(find) else {
            return Err(Error::malformed(
                input.offset(),
                "a hash uses a template that the file does not have",
            ));
        };
        if count != fields.len() + 1 {
            return Err(Error::malformed(
                input.offset(),
                "a hash has more or fewer values than its template has fields",
            ));
        }
        Ok(State::TemplatePacked { fields, index: 0, at })
    }
}

fn quicklist<R: Read>(input: &mut Input<R>, packed: Packed) -> Result<State> {
    Ok(State::Quicklist { packed, nodes: input.count(1, "a number of nodes")?, part: None })
}
