// The sets that synthesis makes: which sentences, whose voices, which edits.
//
// A sentence belongs to one split over all sets. Sets other than the phoneme set say its sentences
// again in other ways, so that its recordings serve them, too; only homophones need new sentences.

enum FactorPlans {
  static let phonemePairs = EvaluationPlan.pairs()

  /// Sets in the order of their manifests.
  static var all: [SetPlan] { [phoneme, homophone, speaker, factorial, prosody, neverHeard] }

  static func split(_ name: String) -> [Voice] { Voice.timed.filter { $0.split == name } }

  // ## (a) One phone, or none

  static var phoneme: SetPlan {
    SetPlan(
      name: "evaluation", title: "spoken-minimal-pairs",
      description:
        "Pairs of synthetic English sentences that differ in one phone of one noun. Both "
        + "members of a pair have the same boundaries, to the sample, and the same pitch contour.",
      factor: "phoneme",
      lines: phonemePairs.flatMap { [clean($0), corrupt($0)] },
      pairs: phonemePairs.map { pair in
        PairPlan(
          id: pair.id, factor: "phoneme", clean: pair.cleanID, corrupt: pair.corruptID,
          prompt: pair.prompt, answers: (pair.nouns.clean, pair.nouns.corrupt), slot: pair.slot,
          group: pair.group, split: pair.voice.split, voice: "\(pair.voice)",
          phone: pair.changedPhone, span: .phone(pair.changedPhone))
      })
  }

  static func clean(_ pair: MinimalPair) -> Line {
    Line(
      id: pair.cleanID, voice: pair.voice, sentence: pair.clean, split: pair.voice.split,
      file: "artifacts/evaluation/\(pair.voice)/\(name(pair.cleanID, pair.voice)).flac")
  }

  static func corrupt(_ pair: MinimalPair) -> Line {
    Line(
      id: pair.corruptID, voice: pair.voice, sentence: pair.corrupt, split: pair.voice.split,
      file: "artifacts/evaluation/\(pair.voice)/\(name(pair.corruptID, pair.voice)).flac",
      levelledWith: pair.cleanID)
  }

  private static func name(_ id: String, _ voice: Voice) -> Substring {
    id.dropFirst("\(voice)-".count)
  }

  static var homophone: SetPlan {
    var taken = Set(phonemePairs.flatMap { [$0.clean.text, $0.corrupt.text] })
    var set = SetPlan(
      name: "homophone", title: "spoken-homophone-pairs",
      description: "Negative control: pairs of sentences that differ in the spelling of one noun "
        + "and in no sound. Both members were spoken; they came out as the same samples, so one "
        + "recording stands for both. A model can choose between them at chance only.",
      factor: "homophone", lines: [], pairs: [])
    for slot in MinimalPair.slots where ["b-first", "d-first"].contains(slot.name) {
      for voice in Voice.timed {
        for nouns in Lexicon.homophones {
          var draws = Draws("homophone/\(slot.name)/\(voice)/\(nouns.0)")
          let target = draws.unit() < 0.5 ? nouns.1 : nouns.0
          let other = Lexicon.partner(of: target)
          while true {
            let clean = Sentence(slot.frame, given: [slot.place: target], draws: &draws)
            let corrupt = clean.replacing(slot.place, by: other)
            // Training keeps away from held-out sentences.
            guard clean.isHeldOut, corrupt.isHeldOut, taken.insert(clean.text).inserted else {
              continue
            }
            taken.insert(corrupt.text)
            let base = "\(voice)-\(slot.name)"
            let file = "artifacts/suite/\(voice)/\(slot.name)-\(nouns.0)-\(nouns.1).flac"
            set.lines += [
              Line(
                id: "\(base)-\(target)", voice: voice, sentence: clean, split: voice.split,
                file: file),
              Line(
                id: "\(base)-\(other)", voice: voice, sentence: corrupt, split: voice.split,
                file: file, levelledWith: "\(base)-\(target)"),
            ]
            let before = clean.words[..<slot.place].reduce(1) {
              $0 + Lexicon.word($1).phones.count
            }
            set.pairs.append(
              PairPlan(
                id: "\(base)-\(target)-\(other)", factor: "homophone", clean: "\(base)-\(target)",
                corrupt: "\(base)-\(other)", prompt: clean.prompt(forNounAt: slot.place),
                answers: (target, other), slot: slot,
                group: "\(clean.replacing(slot.place, by: "_").text) | \(voice)",
                split: voice.split, voice: "\(voice)", phone: before, span: .words([slot.place])))
            break
          }
        }
      }
    }
    return set
  }

  // ## (a) again, by voices that no model has heard

  static var neverHeard: SetPlan {
    var set = SetPlan(
      name: "never-heard", title: "spoken-minimal-pairs-of-voices-never-heard",
      description: "Sentences of the phoneme set's test split by two variants of espeak-ng that no "
        + "training utterance has: another timbre, and another accent and timbre. Their phones "
        + "cannot be timed and the engine does not tell boundaries, so the members of a pair are "
        + "not aligned.",
      factor: "phoneme", lines: [], pairs: [])
    for (variant, voice) in zip(Espeak.neverHeard, [Voice.rms, .ked]) {
      for pair in phonemePairs
      where pair.voice == voice && ["a", "b-first", "d-first"].contains(pair.slot.name) {
        func line(_ sentence: Sentence, _ noun: String) -> Line {
          Line(
            id: "\(variant)-\(pair.slot.name)-\(noun)", voice: .espeak, variant: variant,
            sentence: sentence, split: "test",
            file: "artifacts/suite/\(variant)/\(pair.slot.name)-\(noun).flac")
        }
        let (clean, corrupt) = (
          line(pair.clean, pair.nouns.clean), line(pair.corrupt, pair.nouns.corrupt)
        )
        set.lines += [clean, corrupt]
        set.pairs.append(
          PairPlan(
            id: "\(clean.id)-\(pair.nouns.corrupt)", factor: "phoneme", clean: clean.id,
            corrupt: corrupt.id, prompt: pair.prompt,
            answers: (pair.nouns.clean, pair.nouns.corrupt), alignment: "linear", slot: pair.slot,
            group: "\(pair.clean.replacing(pair.slot.place, by: "_").text) | \(variant)",
            split: "test", voice: variant, phone: 0, span: .everything))
      }
    }
    return set
  }
}
