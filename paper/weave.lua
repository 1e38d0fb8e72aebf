-- Reads a Swift experiment as a document: a `//` comment that starts a line is Markdown prose, all
-- else is code (`///`, indented comments, the lines of a multi-line string).
--
--     pandoc -f paper/weave.lua -s --mathml --css paper/page.css --self-contained \
--       -o page.html Sources/Experiments/e1-causal-map.swift
--
-- The first `# heading` becomes the title. `![](figures/figure2.svg)` stands in the page as it is. What
-- `reproduce pages` has written of the experiment's outputs stands behind the code that gave it.

local folder = "build/pages/work/"

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

local function markdown(text)
  return pandoc.read(text, "markdown+tex_math_dollars").blocks
end

-- Outputs by the line of the call that gave them: `@ LINE KIND`, then the lines of the piece.
local function outputs(name)
  local pieces = {}
  for line in (read(folder .. name .. ".outputs") or ""):gmatch("([^\n]*)\n") do
    local place, kind = line:match("^@ (%d+) (%a+)$")
    if place then
      table.insert(pieces, { line = tonumber(place), kind = kind, lines = {} })
    elseif #pieces > 0 then
      table.insert(pieces[#pieces].lines, line)
    end
  end
  return pieces
end

local function box(lines)
  return pandoc.CodeBlock(table.concat(lines, "\n"), pandoc.Attr("", { "output" }))
end

local function folded(summary, blocks)
  local all = pandoc.List({ pandoc.RawBlock("html", "<details><summary>" .. summary .. "</summary>") })
  all:extend(blocks)
  all:insert(pandoc.RawBlock("html", "</details>"))
  return all
end

local function numbers(rows)
  local lines = { "| number | value | interval | claim |", "|----------------------------------------|------------|------------------|-----|" }
  for _, row in ipairs(rows) do
    local cells = {}
    for cell in (row .. "\t"):gmatch("([^\t]*)\t") do table.insert(cells, (cell:gsub("|", "\\|"))) end
    table.insert(lines, "| `" .. cells[1] .. "` | " .. table.concat(cells, " | ", 2) .. " |")
  end
  return markdown(table.concat(lines, "\n"))
end

-- What the calls of some lines gave: what was printed, then numbers, then files. Long lists are folded.
local function given(pieces, first, last)
  local printed, rows, blocks = {}, {}, pandoc.List()
  for _, piece in ipairs(pieces) do
    if first <= piece.line and piece.line <= last then
      if piece.kind == "text" then
        for _, line in ipairs(piece.lines) do table.insert(printed, line) end
      elseif piece.kind == "row" then
        table.insert(rows, piece.lines[1])
      else
        blocks:extend(markdown(table.concat(piece.lines, "\n")))
      end
    end
  end
  local all = pandoc.List()
  if #printed > 30 then
    all:insert(box({ table.unpack(printed, 1, 20) }))
    all:extend(folded((#printed - 20) .. " lines more", { box({ table.unpack(printed, 21) }) }))
  elseif #printed > 0 then
    all:insert(box(printed))
  end
  if #rows > 30 then
    all:extend(folded(#rows .. " numbers", numbers(rows)))
  elseif #rows > 0 then
    all:extend(numbers(rows))
  end
  all:extend(blocks)
  return all
end

-- A drawing as it is, so that its text can be searched; its names are made the page's own.
local drawings = 0
local function figure(image)
  local svg = read(image.src)
  local caption = pandoc.utils.stringify(image.caption)
  if not svg then
    return { pandoc.Para({ pandoc.Emph({ pandoc.Str(caption .. " (not drawn yet)") }) }) }
  end
  drawings = drawings + 1
  local own = "d" .. drawings .. "-"
  svg = svg:gsub("^<%?xml.-%?>%s*", ""):gsub(' id="', ' id="' .. own)
    :gsub('xlink:href="#', 'xlink:href="#' .. own):gsub("url%(#", "url(#" .. own)
  local base = "../../" .. image.src:gsub("%.svg$", "")
  return { pandoc.RawBlock("html", "<figure>\n" .. svg .. "\n<figcaption>" .. caption .. ' (<a href="' .. base
    .. '.pdf">PDF</a>, <a href="' .. base .. '.tsv">values</a>)</figcaption>\n</figure>') }
end

local function prose(text)
  local blocks = pandoc.List()
  for _, block in ipairs(markdown(text)) do
    local image = block.t == "Para" and #block.content == 1 and block.content[1]
    if image and image.t == "Image" and image.src:match("%.svg$") then
      blocks:extend(figure(image))
    else
      blocks:insert(block)
    end
  end
  return blocks
end

local function weave(input, pieces)
  local blocks, lines, isProse, first, number = pandoc.List(), {}, nil, 1, 0

  local function flush()
    local text = table.concat(lines, "\n"):gsub("^%s*\n", ""):gsub("%s+$", "")
    lines = {}
    if text ~= "" then
      if isProse then
        blocks:extend(prose(text))
      else
        blocks:insert(pandoc.CodeBlock(text, pandoc.Attr("", { "swift" })))
        blocks:extend(given(pieces, first, number))
      end
    end
    first = number + 1
  end

  local inString = false
  for line in (input .. "\n"):gmatch("(.-)\r?\n") do
    local text = not inString and (line:match("^// ?([^/].*)$") or (line == "//" and "")) or nil
    -- An empty line belongs to what it stands in, and separates paragraphs of prose.
    if line ~= "" and (text ~= nil) ~= isProse then
      flush()
      isProse = text ~= nil
    end
    number = number + 1
    table.insert(lines, text or (isProse and "" or line))
    if text == nil then
      local _, quotes = line:gsub('"""', "")
      if quotes % 2 == 1 then inString = not inString end
    end
  end
  flush()
  return blocks
end

function Reader(input)
  local name = (input[1] and input[1].name or ""):match("([^/]*)%.swift$") or ""
  local blocks = weave(tostring(input), outputs(name))
  local meta = pandoc.Meta({})
  for i, block in ipairs(blocks) do
    if block.t == "Header" and block.level == 1 then
      meta.title = pandoc.MetaInlines(block.content)
      blocks:remove(i)
      break
    end
  end
  local head = read(folder .. name .. ".head")
  return pandoc.Pandoc(head and pandoc.List(markdown(head)) .. blocks or blocks, meta)
end
