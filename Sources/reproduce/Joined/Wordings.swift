// How the questions about a sentence are put in natural language: several wordings each, of which the
// last two are never trained on.

/// Wordings of one question.
struct Wordings {
  let all: [String]

  /// How many of them, from the end, are kept out of training.
  static let heldOut = 2

  var trained: [String] { Array(all.dropLast(Wordings.heldOut)) }
  var unseen: [String] { Array(all.suffix(Wordings.heldOut)) }

  /// Words of a corpus that has no capitals, with those of names.
  private static func written(_ words: ArraySlice<String>) -> String {
    words.map { FreeWords.kind($0) == .name ? $0.capitalized : $0 }.joined(separator: " ")
  }

  init(_ question: Question) {
    let words = question.prompt.dropLast().split(separator: " ").map(String.init)
    switch question.kind {
    case .transcription:
      all = [
        "Transcribe.", "Transcribe the recording.", "Write down what is said.",
        "What does the speaker say?", "Repeat the words of the recording.",
        "Give the transcript.", "Please type out the speech.", "Which words do you hear?",
      ]
    case .translation:
      all = [
        "Translate into Spanish.", "Say it in Spanish.", "What is that in Spanish?",
        "Write the Spanish translation of the recording.", "Give a Spanish version.",
        "How would a Spanish speaker put it?", "Spanish translation, please.",
      ]
    case .position:
      let (place, what) = (words[0], words[1] == "thing" ? "thing" : words[1])
      // "which" where there is only one.
      all =
        place == "which"
        ? [
          "Which \(what) is mentioned? One word.", "Name the \(what). One word.",
          "What \(what) is in the recording? One word.", "Answer in one word: which \(what)?",
          "Tell me the \(what), in one word.", "The \(what) in a single word?",
        ]
        : [
          "What is the \(place) \(what)? One word.", "Name the \(place) \(what). One word.",
          "Which \(what) comes \(place)? One word.", "Answer in one word: the \(place) \(what)?",
          "Tell me the \(place) \(what), in one word.", "The \(place) \(what) in a single word?",
        ]
    case .colourOf:
      let noun = words.last!
      all = [
        "What colour is the \(noun)? One word.", "Which colour does the \(noun) have? One word.",
        "The \(noun) is of which colour? One word.",
        "Answer in one word: the colour of the \(noun)?",
        "Name the colour of the \(noun), in one word.",
        "In a single word, how is the \(noun) coloured?",
      ]
    case .thingOf:
      let colour = words.last!
      all = [
        "Which thing is \(colour)? One word.", "What is \(colour)? One word.",
        "Name the thing that is \(colour). One word.", "Answer in one word: what is \(colour)?",
        "Tell me what is \(colour), in one word.", "The \(colour) thing in a single word?",
      ]
    case .countOf:
      let noun = words.last!
      all = [
        "Which number stands behind \(noun)? One word.", "How many \(noun)? One word.",
        "What number goes with \(noun)? One word.", "Answer in one word: how many \(noun)?",
        "Name the number behind \(noun), in one word.", "The number of \(noun) in a single word?",
      ]
    case .knowledge:
      all = [
        "Which number comes after the last one? One word.",
        "Count on from the last number. One word.",
        "What follows the last number said? One word.",
        "Answer in one word: the last number plus one?",
        "Add one to the last number, in one word.", "Next number in a single word?",
      ]
    case .speaker:
      all = [
        "Who is speaking? One word.", "Name the speaker. One word.", "Whose voice is it? One word.",
        "Answer in one word: who speaks?", "Tell me the speaker's name, in one word.",
        "The speaker in a single word?",
      ]
    case .mood:
      all = [
        "Is it a question? Asking or telling?", "Is the speaker asking or telling?",
        "Asking or telling?", "Does the voice ask or tell: asking or telling?",
        "Answer in one word: asking or telling?", "Tell me whether this is asking or telling.",
      ]
    case .rate:
      all = [
        "Is the speech fast or slow?", "Fast or slow?", "How quick is it, fast or slow?",
        "Does the speaker talk fast or slow?", "Answer in one word: fast or slow?",
        "Tell me whether this is fast or slow.",
      ]
    case .who:
      all = [
        "Who is it about? One word.", "Who is mentioned? One word.",
        "Name who is mentioned. One word.", "Answer in one word: who is it about?",
        "Tell me who it is about, in one word.", "Who is it, in a single word?",
      ]
    case .action:
      // what did SUBJECT do
      let subject = Wordings.written(words[2..<words.count - 1])
      all = [
        "What did \(subject) do? One word.", "Name what \(subject) did. One word.",
        "Which verb says what \(subject) did? One word.",
        "Answer in one word: what did \(subject) do?",
        "Tell me what \(subject) did, in one word.", "In a single word, what did \(subject) do?",
      ]
    case .what:
      // what SUBJECT ACTED
      let (subject, past) = (Wordings.written(words[1..<words.count - 1]), words.last!)
      let base = FreeWords.base(of: past)!
      all = [
        "What did \(subject) \(base)? One word.", "Name what \(subject) \(past). One word.",
        "What was it that \(subject) \(past)? One word.",
        "Answer in one word: what did \(subject) \(base)?",
        "Tell me what \(subject) \(past), in one word.",
        "In a single word, what did \(subject) \(base)?",
      ]
    case .count:
      let goods = words.last!
      all = [
        "How many \(goods) are there? One word.", "How many \(goods) do you hear of? One word.",
        "What is the number of \(goods)? One word.",
        "Answer in one word: what number of \(goods)?",
        "Tell me how many \(goods), in one word.", "How many \(goods), in a single word?",
      ]
    case .quality:
      // what is the NOUN like
      let noun = words[3]
      all = [
        "What is the \(noun) like? One word.", "How is the \(noun) described? One word.",
        "Which adjective goes with the \(noun)? One word.",
        "Answer in one word: what is the \(noun) like?",
        "Describe the \(noun), in one word.", "In a single word, how is the \(noun)?",
      ]
    case .place:
      all = [
        "Where is it? One word.", "Which place is mentioned? One word.",
        "Name the place. One word.", "Answer in one word: which place?",
        "Tell me the place, in one word.", "The place in a single word?",
      ]
    case .when:
      all = [
        "When is it? One word.", "Which day or month is mentioned? One word.",
        "Name the day or month. One word.", "Answer in one word: when is it?",
        "Tell me when it is, in one word.", "The day or month in a single word?",
      ]
    }
  }
}
