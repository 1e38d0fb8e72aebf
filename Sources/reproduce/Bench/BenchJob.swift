// What `reproduce bench` is asked, as a file that a program in another language reads too.

import Interventions
import JSON
import Notebook
import Speech

/// A job: the model and the pair, opened.
struct BenchJob {
  let folder: String
  let json: JSON
  let name: String

  init(contentsOf path: String) throws {
    json = try readJSON(path)
    name = path
    folder = try json.string("model")
  }

  func model() throws -> any SpeechLanguageModel { try openModel(folder: folder) }

  func wave(_ member: String) throws -> Waveform {
    try Waveform(contentsOf: json.string(member))
  }

  /// Both members of the pair with the same tokens: clean, then corrupt.
  func questions(_ model: any SpeechLanguageModel) throws -> (
    clean: Interventions.Question, corrupt: Interventions.Question
  ) {
    let answers = Answers(try json.int("answer"), try json.int("foil"))
    let tokens = try json.array("ids").map { id in
      guard let id = id.int else { throw JSONError("\(name): \"ids\" should hold whole numbers") }
      return id
    }
    func asked(_ member: String) throws -> Interventions.Question {
      .init(ModelInput(clip: try model.clip(wave(member)), tokens: tokens), answers)
    }
    return (try asked("clean"), try asked("corrupt"))
  }

  func texts(_ key: String) throws -> [String] {
    try json.array(key).map { text in
      guard let text = text.string else {
        throw JSONError("\(name): \"\(key)\" should hold strings")
      }
      return text
    }
  }

  func windows() throws -> [Window] { try texts("windows").map { try Window($0) } }

  /// The rows of a map or a search.
  func rows(_ model: any SpeechLanguageModel, in trace: Trace) throws -> [GridRow] {
    try model.rows(texts("sites").joined(separator: ","), in: trace)
  }
}

extension [GridRow] {
  /// Their sites, each once and in order.
  var sites: [Site] {
    reduce(into: []) { sites, row in if sites.last != row.site { sites.append(row.site) } }
  }
}
