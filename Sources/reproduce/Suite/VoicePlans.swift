// The sets whose text stays while the voice changes: another speaker, another way of saying it; and
// the two by two of text and speaker.

extension FactorPlans {
  /// Who else says a speaker's sentences. Speakers of a split serve each other; the validation
  /// split has one speaker only and borrows one of discovery.
  private static let partners: [(Voice, Voice)] = [(.kal, .slt), (.rms, .ked), (.awb, .slt)]

  /// A phoneme pair of one speaker with the four runs of text by speaker: frame A's sentences are
  /// said by both speakers of a split already, the others are said again.
  private struct Crossing {
    let pair: MinimalPair
    let other: Voice
    /// clean and corrupt text by the pair's own speaker, then by the other one.
    let own: (clean: Line, corrupt: Line)
    let others: (clean: Line, corrupt: Line)

    init(_ pair: MinimalPair, _ other: Voice) {
      self.pair = pair
      self.other = other
      own = (FactorPlans.clean(pair), FactorPlans.corrupt(pair))
      let existing = FactorPlans.phonemePairs.first {
        $0.voice == other && $0.clean.text == pair.clean.text && $0.corrupt == pair.corrupt
      }
      if let existing {
        others = (FactorPlans.clean(existing), FactorPlans.corrupt(existing))
        return
      }
      func line(_ sentence: Sentence, _ noun: String, with: String?) -> Line {
        let name = "\(pair.slot.name)-\(noun)-of-\(pair.voice)"
        return Line(
          id: "\(other)-\(name)", voice: other, sentence: sentence, split: pair.voice.split,
          file: "artifacts/suite/\(other)/\(name).flac", levelledWith: with)
      }
      let clean = line(pair.clean, pair.nouns.clean, with: nil)
      others = (clean, line(pair.corrupt, pair.nouns.corrupt, with: clean.id))
    }

    var lines: [Line] { [own.clean, own.corrupt, others.clean, others.corrupt] }
    /// flite begins a phone half a frame before festival does.
    var padding: [String: Int] {
      guard pair.voice.engine != other.engine else { return [:] }
      return Dictionary(
        uniqueKeysWithValues: lines.filter { $0.voice.engine == "flite" }.map { ($0.id, 40) })
    }
    var slots: String { pair.slot.name }
    var who: (prompt: String, answers: (String, String)) {
      ("who is speaking:", (pair.voice.speaker, other.speaker))
    }
  }

  private static var crossings: [Crossing] {
    partners.flatMap { own, other in
      phonemePairs
        .filter { $0.voice == own && ["a", "b-first"].contains($0.slot.name) }
        .map { Crossing($0, other) }
    }
  }

  private static let exception =
    " Splits are disjoint in sentence; they are in speaker, too, but for slt, who speaks beside awb "
    + "in validation, which has one speaker only."

  // ## (b) The same sentence by another speaker

  static var speaker: SetPlan {
    var set = SetPlan(
      name: "speaker", title: "spoken-speaker-pairs",
      description:
        "The same sentence by two speakers, every phone at the same place to the sample; "
        + "where the engines differ, silence before and behind one recording (`padding`) sees to "
        + "it." + exception,
      factor: "speaker", lines: [], pairs: [])
    for crossing in crossings {
      set.lines += crossing.lines
      set.padding.merge(crossing.padding) { $1 }
      let nouns = crossing.pair.nouns
      for (a, b, noun, foil) in [
        (crossing.own.clean, crossing.others.clean, nouns.clean, nouns.corrupt),
        (crossing.own.corrupt, crossing.others.corrupt, nouns.corrupt, nouns.clean),
      ] {
        set.pairs.append(
          PairPlan(
            id: "\(a.id)-by-\(crossing.other)", factor: "speaker", clean: a.id, corrupt: b.id,
            prompt: crossing.pair.prompt, answers: (noun, foil), attribute: crossing.who,
            slot: crossing.pair.slot, group: "\(a.sentence.text) | \(a.speaker) \(b.speaker)",
            split: a.split, voice: a.speaker, phone: crossing.pair.changedPhone, span: .everything))
      }
    }
    return set
  }

  // ## {text 1, text 2} x {speaker A, speaker B}

  static var factorial: SetPlan {
    var set = SetPlan(
      name: "factorial", title: "spoken-text-by-speaker-designs",
      description:
        "Two texts that differ in one phone, each by two speakers, all four runs aligned "
        + "to the sample. The clean member is (text 1, speaker A), the corrupt member (text 2, "
        + "speaker B); crossedText is the counterfactual run (text 1, speaker B), crossedSpeaker is "
        + "(text 2, speaker A)." + exception,
      factor: "factorial", lines: [], pairs: [])
    for crossing in crossings {
      set.lines += crossing.lines
      set.padding.merge(crossing.padding) { $1 }
      let pair = crossing.pair
      set.pairs.append(
        PairPlan(
          id: "\(pair.id)-by-\(crossing.other)", factor: "factorial", clean: crossing.own.clean.id,
          corrupt: crossing.others.corrupt.id,
          crossed: (crossing.others.clean.id, crossing.own.corrupt.id), prompt: pair.prompt,
          answers: (pair.nouns.clean, pair.nouns.corrupt), attribute: crossing.who,
          slot: pair.slot, group: "\(pair.group) \(crossing.other)", split: pair.voice.split,
          voice: "\(pair.voice)", phone: pair.changedPhone, span: .everything))
    }
    return set
  }

  // ## (c) The same sentence, said otherwise

  static var prosody: SetPlan {
    var set = SetPlan(
      name: "prosody", title: "spoken-prosody-pairs",
      description: "The same sentence by the same speaker, said otherwise: pitch raised or lowered "
        + "by a quarter, fast against slow, emphasis on the first against the last noun, telling "
        + "against asking (a contour that rises).",
      factor: "prosody", lines: [], pairs: [])
    let plain = Delivery()
    for voice in Voice.timed {
      let pairs = phonemePairs.filter { $0.voice == voice && $0.slot.name == "d-first" }
      for (i, pair) in pairs.enumerated() {
        // Five edits over twelve sentences: each sentence gets one or two, each edit four or five.
        let edits: [(kind: String, from: Delivery, to: Delivery)] = [
          ("pitch raised", plain, Delivery(pitch: 1.25)),
          ("pitch lowered", plain, Delivery(pitch: 0.8)),
          ("rate", Delivery(rate: 0.8), Delivery(rate: 1.25)),
          ("emphasis", Delivery(emphasis: 0), Delivery(emphasis: 3)),
          ("mood", plain, Delivery(isAsking: true)),
        ]
        let chosen = [i % 5] + (i < 8 ? [(i + 2) % 5] : [])
        for edit in chosen.map({ edits[$0] }) {
          let (a, b) = (said(pair, edit.from), said(pair, edit.to))
          set.lines += [a, b]
          let questions = zip(a.manner.questions, b.manner.questions)
          let asked = questions.first { $0.prompt == $1.prompt && $0.answer != $1.answer }
          set.pairs.append(
            PairPlan(
              id: "\(pair.cleanID)-\(edit.kind.replacing(" ", with: "-"))", factor: "prosody",
              kind: edit.kind, clean: a.id, corrupt: b.id, prompt: pair.prompt,
              answers: pair.nouns,
              attribute: asked.map { ($0.prompt, ($0.answer, $1.answer)) },
              alignment: edit.from.rate == edit.to.rate && edit.kind != "emphasis"
                ? "identity" : "phones",
              slot: pair.slot, group: "\(pair.clean.text) | \(voice)", split: voice.split,
              voice: "\(voice)", phone: pair.changedPhone,
              span: edit.kind == "emphasis" ? .words([0, 3]) : .everything))
        }
      }
    }
    return set
  }

  /// The clean member of a pair as it is delivered; the recording of the phoneme set where that is
  /// plain.
  private static func said(_ pair: MinimalPair, _ delivery: Delivery) -> Line {
    var line = clean(pair)
    guard delivery != Delivery() else { return line }
    var parts: [String] = []
    if delivery.rate != 1 { parts.append(delivery.rate < 1 ? "fast" : "slow") }
    if delivery.pitch != 1 { parts.append(delivery.pitch < 1 ? "low" : "high") }
    if let place = delivery.emphasis { parts.append("stress-\(line.sentence.words[place])") }
    if delivery.isAsking { parts.append("asking") }
    let name = line.id + "-" + parts.joined(separator: "-")
    line = Line(
      id: name, voice: pair.voice, sentence: pair.clean, delivery: delivery,
      split: pair.voice.split,
      file: "artifacts/suite/\(pair.voice)/\(name.dropFirst("\(pair.voice)-".count)).flac")
    return line
  }
}
