//! Lists and maps in brackets.

use super::{Event, Events, Place, Properties, State};
use crate::yaml::cursor::{Mark, Result};
use crate::yaml::scanner::Token;

const NEXT_ITEM: State = State::FlowSequenceEntry { is_first: false };
const NEXT_KEY: State = State::FlowMappingKey { is_first: false };

impl Events<'_> {
    pub(super) fn flow_sequence_entry(&mut self, is_first: bool) -> Result<(Event, Mark)> {
        if *self.scanner.peek()? != Token::FlowSequenceEnd {
            if !is_first {
                self.comma("',' or ']'", "list")?;
            }
            match self.scanner.peek()? {
                Token::Key => {
                    let mark = self.scanner.peek_mark()?;
                    self.state = State::FlowPairKey;
                    return Ok((Event::MappingStart(Properties::default()), mark));
                }
                Token::FlowSequenceEnd => {}
                _ => {
                    self.states.push(NEXT_ITEM);
                    return self.node(Place::Flow);
                }
            }
        }
        self.flow_end(Event::SequenceEnd)
    }

    pub(super) fn flow_pair_key(&mut self) -> Result<(Event, Mark)> {
        let key = self.scanner.next()?;
        self.flow_part(key.end, State::FlowPairValue)
    }

    pub(super) fn flow_pair_value(&mut self) -> Result<(Event, Mark)> {
        self.flow_value(State::FlowPairEnd)
    }

    pub(super) fn flow_pair_end(&mut self) -> Result<(Event, Mark)> {
        self.state = NEXT_ITEM;
        Ok((Event::MappingEnd, self.scanner.peek_mark()?))
    }

    pub(super) fn flow_mapping_key(&mut self, is_first: bool) -> Result<(Event, Mark)> {
        if *self.scanner.peek()? != Token::FlowMappingEnd {
            if !is_first {
                self.comma("',' or '}'", "map")?;
            }
            match self.scanner.peek()? {
                Token::Key => {
                    let key = self.scanner.next()?;
                    return self.flow_part(key.end, State::FlowMappingValue);
                }
                Token::FlowMappingEnd => {}
                _ => {
                    self.states.push(State::FlowMappingEmptyValue);
                    return self.node(Place::Flow);
                }
            }
        }
        self.flow_end(Event::MappingEnd)
    }

    pub(super) fn flow_mapping_value(&mut self) -> Result<(Event, Mark)> {
        self.flow_value(NEXT_KEY)
    }

    /// Reads what comes after a key, which may be nothing.
    fn flow_value(&mut self, after: State) -> Result<(Event, Mark)> {
        if *self.scanner.peek()? != Token::Value {
            let mark = self.scanner.peek_mark()?;
            return Ok(self.empty_scalar(mark, after));
        }
        let sign = self.scanner.next()?;
        self.flow_part(sign.end, after)
    }

    /// Reads a key or a value. It is empty if its list or map goes on or ends at once.
    fn flow_part(&mut self, mark: Mark, after: State) -> Result<(Event, Mark)> {
        use State::{FlowMappingKey, FlowMappingValue, FlowPairEnd, FlowPairValue};
        let is_empty = match self.scanner.peek()? {
            Token::FlowEntry => true,
            Token::Value => matches!(after, FlowPairValue | FlowMappingValue),
            Token::FlowSequenceEnd => matches!(after, FlowPairValue | FlowPairEnd),
            Token::FlowMappingEnd => matches!(after, FlowMappingValue | FlowMappingKey { .. }),
            _ => false,
        };
        if is_empty {
            return Ok(self.empty_scalar(mark, after));
        }
        self.states.push(after);
        self.node(Place::Flow)
    }

    fn comma(&mut self, wanted: &str, what: &'static str) -> Result<()> {
        if *self.scanner.peek()? != Token::FlowEntry {
            let problem = self.unexpected(wanted)?;
            return Err(problem.within(what, self.begin()));
        }
        self.scanner.next()?;
        Ok(())
    }

    fn flow_end(&mut self, event: Event) -> Result<(Event, Mark)> {
        let mark = self.scanner.next()?.start;
        self.begins.pop();
        self.state = self.after();
        Ok((event, mark))
    }
}
