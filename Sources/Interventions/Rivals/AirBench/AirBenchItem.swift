// Single-choice questions about sound in AIR-Bench's published form (Yang et al., 2024, arXiv 2402.07729):
// its metadata is read and written; its recordings are no part of the package.

import Foundation
import JSON
import Speech

/// One question about a recording, with two to four options of which one is right.
public struct AirBenchItem: Codable, Hashable, Sendable {
  /// `uniq_id`, as text.
  public let id: String
  /// `task_name`, in the spelling of the file.
  public let task: String
  /// `dataset_name`
  public let dataset: String
  /// The recording's name, below the folder of task and data set.
  public let path: String
  public let question: String
  /// `choice_a` and those that follow it.
  public let options: [String]
  /// Which of the options `answer_gt` says.
  public let answer: Int

  /// The letters under which options stand.
  public static let letters = ["A", "B", "C", "D"]

  /// - Throws: where there are not two to four options, one or another text is empty, or the answer
  ///   stands among them more or less than once; the error names the field as the file calls it.
  public init(
    id: String, task: String, dataset: String, path: String, question: String, options: [String],
    answer: String
  ) throws {
    let texts =
      [("task_name", task), ("dataset_name", dataset), ("path", path), ("question", question)]
      + zip(AirBenchItem.fields, options)
    if let empty = texts.first(where: { $0.1.allSatisfy(\.isWhitespace) }) {
      throw JSONError("\"\(empty.0)\" is empty")
    }
    guard (2...AirBenchItem.letters.count).contains(options.count) else {
      throw JSONError("has \(options.count) options; there should be two to four")
    }
    guard !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
      throw JSONError("\"path\" is \(quoted(path)), which leaves the folder of the recordings")
    }
    let right = options.indices.filter { options[$0] == answer }
    guard right.count == 1 else {
      throw JSONError(
        "\"answer_gt\" is \(quoted(answer)), which is \(right.count) of its options and should be one"
      )
    }
    (self.id, self.task, self.dataset, self.path) = (id, task, dataset, path)
    (self.question, self.options, self.answer) = (question, options, right[0])
  }

  /// What the file calls the options.
  fileprivate static let fields = ["choice_a", "choice_b", "choice_c", "choice_d"]
}

extension AirBenchItem {
  /// - Throws: where a field is missing or of another type; the error names it. The third and the fourth
  ///   option may be missing, or null.
  init(_ json: JSON) throws {
    let id: String
    switch json["uniq_id"] {
    case .integer(let number): id = "\(number)"
    case .string(let text) where !text.isEmpty: id = text
    case nil: throw JSONError("\"uniq_id\" is missing")
    default: throw JSONError("\"uniq_id\" should be a whole number or a string")
    }
    let count = AirBenchItem.fields.indices.last { json[AirBenchItem.fields[$0]] != nil } ?? 1
    try self.init(
      id: id, task: json.string("task_name"), dataset: json.string("dataset_name"),
      path: json.string("path"), question: json.string("question"),
      options: AirBenchItem.fields[...max(count, 1)].map { try json.string($0) },
      answer: json.string("answer_gt"))
  }

  /// The item as the published file has it.
  public var json: JSON {
    let number = Int(id).flatMap { "\($0)" == id ? JSON.integer($0) : nil }
    var members: [String: JSON] = [
      "uniq_id": number ?? .string(id), "task_name": .string(task),
      "dataset_name": .string(dataset), "path": .string(path), "question": .string(question),
      "answer_gt": .string(options[answer]),
    ]
    for (field, option) in zip(AirBenchItem.fields, options) { members[field] = .string(option) }
    return .object(members)
  }

  /// Where the published layout has the recording, below the folder of all of them. Those of audio
  /// grounding are in FLAC, whatever ending their metadata name.
  public var place: String {
    let file = task == "Audio_Grounding" ? "\(path.dropLast(3))flac" : path
    return "\(task)_\(dataset)/\(file)"
  }
}

/// The questions of a metadata file, and which of them have their recordings here.
public struct AirBench: Sendable {
  /// All of them, in the order of the file.
  public let items: [AirBenchItem]
  /// Their recordings; nil where there is none. As many as there are items.
  public let recordings: [String?]

  /// How many items have no recording; they stay in `items`.
  public var absent: Int { recordings.count { $0 == nil } }
  /// How many items have the task, data set and `uniq_id` of an earlier one.
  public var repeated: Int {
    items.count - Set(items.map { [$0.task, $0.dataset, $0.id] }).count
  }

  /// Reads a metadata file (`Foundation_meta.json`).
  ///
  /// - Parameter root: the folder below which the recordings lie, as published, or at their own paths
  /// - Throws: an error that names file, item and field where one is missing or malformed.
  public init(contentsOf path: String, recordings root: String) throws {
    guard let entries = try readJSON(path).elements, !entries.isEmpty else {
      throw CellError("\(path): should be a list of items, as Foundation_meta.json is")
    }
    items = try entries.enumerated().map { try AirBench.item($1, "item \($0)", of: path) }
    recordings = items.map { item in
      ["\(root)/\(item.place)", "\(root)/\(item.path)"].first {
        FileManager.default.fileExists(atPath: $0)
      }
    }
  }

  /// The metadata file of some items, which `init(contentsOf:recordings:)` reads back equal.
  public static func metadata(_ items: [AirBenchItem]) -> String {
    JSON.array(items.map(\.json)).text
  }

  /// The answers of a model in the published form (`Foundation_result_*.jsonl`): one item a line, with
  /// what the model said as `response`, nil where that is null.
  ///
  /// - Throws: an error that names file, line and field.
  public static func responses(contentsOf path: String) throws -> [(
    item: AirBenchItem, response: String?
  )] {
    guard
      let text = FileManager.default.contents(atPath: path).flatMap({
        String(validating: $0, as: UTF8.self)
      })
    else { throw CellError("\(path): cannot be read as UTF-8; check the path") }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
      .filter { !$0.element.allSatisfy(\.isWhitespace) }
    guard !lines.isEmpty else { throw CellError("\(path): has no answers") }
    return try lines.map { number, line in
      let place = "line \(number + 1)"
      let json = try JSON(parsing: String(line), name: "\(path): \(place)")
      let item = try item(json, place, of: path)
      guard let members = json.members, let said = members["response"] else {
        throw CellError("\(path): \(place) (uniq_id \(item.id)): \"response\" is missing")
      }
      guard said == .null || said.string != nil else {
        throw CellError(
          "\(path): \(place) (uniq_id \(item.id)): \"response\" should be a string or null")
      }
      return (item, said.string)
    }
  }

  private static func item(_ json: JSON, _ place: String, of path: String) throws -> AirBenchItem {
    do { return try AirBenchItem(json) } catch {
      let id = json["uniq_id"].map { " (uniq_id \(shortened($0.compactText)))" } ?? ""
      throw CellError("\(path): \(place)\(id): \(error); correct the item or leave it out")
    }
  }
}
