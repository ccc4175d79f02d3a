using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace GamingLeaderboard
{
    /// <summary>
    /// JSON as plain values: JsonObject, List&lt;object&gt;, string, long, double, bool, null. Unity's JsonUtility knows no null, no
    /// dictionary and no missing field; other libraries use reflection, which IL2CPP strips, and would be a dependency.
    /// </summary>
    public static class Json
    {
        /// <summary>Raises FormatException.</summary>
        public static object Parse(string text)
        {
            var reader = new Reader(text);
            return reader.Whole();
        }

        public static string Text(object value)
        {
            var text = new StringBuilder();
            Write(text, value);
            return text.ToString();
        }

        static void Write(StringBuilder text, object value)
        {
            if (value == null) text.Append("null");
            else if (value is bool truth) text.Append(truth ? "true" : "false");
            else if (value is string word) WriteText(text, word);
            else if (value is double || value is float) text.Append(Real(Convert.ToDouble(value)));
            else if (value is IDictionary<string, object> data) WriteMembers(text, data);
            else if (value is System.Collections.IEnumerable items) WriteItems(text, items);
            else if (value is IFormattable number) text.Append(number.ToString(null, CultureInfo.InvariantCulture));
            else throw new ArgumentException("No JSON for " + value.GetType());
        }

        static string Real(double value)
        {
            if (double.IsNaN(value) || double.IsInfinity(value)) throw new ArgumentException("JSON has no " + value);
            return value.ToString("R", CultureInfo.InvariantCulture);
        }

        static void WriteMembers(StringBuilder text, IDictionary<string, object> data)
        {
            var separator = "{";
            foreach (var member in data)
            {
                text.Append(separator);
                WriteText(text, member.Key);
                text.Append(':');
                Write(text, member.Value);
                separator = ",";
            }
            text.Append(data.Count == 0 ? "{}" : "}");
        }

        static void WriteItems(StringBuilder text, System.Collections.IEnumerable items)
        {
            var separator = "";
            text.Append('[');
            foreach (var item in items)
            {
                text.Append(separator);
                Write(text, item);
                separator = ",";
            }
            text.Append(']');
        }

        static void WriteText(StringBuilder text, string word)
        {
            text.Append('"');
            foreach (var sign in word)
            {
                if (sign == '"' || sign == '\\') text.Append('\\').Append(sign);
                else if (sign < ' ') text.Append("\\u").Append(((int)sign).ToString("x4"));
                else text.Append(sign);
            }
            text.Append('"');
        }

        sealed class Reader
        {
            const int Deepest = 64; // an answer is 5 deep; a stack overflow ends a game
            readonly string text;
            int at;
            int depth;

            internal Reader(string text)
            {
                this.text = text;
            }

            internal object Whole()
            {
                var value = Value();
                Skip();
                if (at < text.Length) throw Wrong();
                return value;
            }

            object Value()
            {
                Skip();
                switch (Peek())
                {
                    case '{': return Members();
                    case '[': return Items();
                    case '"': return Word();
                    case 't': return Named("true", true);
                    case 'f': return Named("false", false);
                    case 'n': return Named("null", null);
                    default: return Number();
                }
            }

            JsonObject Members()
            {
                var data = new JsonObject();
                Enter();
                while (More('}', data.Count > 0))
                {
                    Skip();
                    var name = Word();
                    Skip();
                    Take(':');
                    data[name] = Value();
                }
                return data;
            }

            List<object> Items()
            {
                var items = new List<object>();
                Enter();
                while (More(']', items.Count > 0)) items.Add(Value());
                return items;
            }

            void Enter()
            {
                at++;
                if (++depth > Deepest) throw Wrong();
            }

            bool More(char end, bool isBehindOne)
            {
                Skip();
                if (Peek() == end)
                {
                    at++;
                    depth--;
                    return false;
                }
                if (isBehindOne) Take(',');
                return true;
            }

            string Word()
            {
                Take('"');
                var word = new StringBuilder();
                for (; Peek() != '"'; at++) word.Append(text[at] == '\\' ? Escape() : text[at]);
                at++;
                return word.ToString();
            }

            char Escape()
            {
                at++;
                switch (Peek())
                {
                    case 'b': return '\b';
                    case 'f': return '\f';
                    case 'n': return '\n';
                    case 'r': return '\r';
                    case 't': return '\t';
                    case 'u': return Hex();
                    default: return text[at];
                }
            }

            char Hex()
            {
                if (at + 5 > text.Length) throw Wrong();
                at += 4;
                return (char)ushort.Parse(text.Substring(at - 3, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            }

            object Named(string name, object value)
            {
                if (string.CompareOrdinal(text, at, name, 0, name.Length) != 0) throw Wrong();
                at += name.Length;
                return value;
            }

            object Number()
            {
                var start = at;
                while (at < text.Length && "+-.eE0123456789".IndexOf(text[at]) >= 0) at++;
                var number = text.Substring(start, at - start);
                if (long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole)) return whole;
                if (double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var real)) return real;
                throw Wrong();
            }

            void Skip()
            {
                while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0) at++;
            }

            char Peek()
            {
                if (at >= text.Length) throw Wrong();
                return text[at];
            }

            void Take(char sign)
            {
                if (Peek() != sign) throw Wrong();
                at++;
            }

            FormatException Wrong() => new FormatException("No JSON at " + at);
        }
    }

    /// <summary>A JSON object. What is missing reads as null, or as nothing: an older service says less.</summary>
    public sealed class JsonObject : Dictionary<string, object>
    {
        internal bool Has(string name) => Any(name) != null;

        internal object Any(string name) => TryGetValue(name, out var value) ? value : null;

        internal string Text(string name) => Any(name) as string;

        internal IDictionary<string, object> Map(string name) => Any(name) as JsonObject;

        internal long Whole(string name) => OptionalWhole(name) ?? 0;

        internal long? OptionalWhole(string name) => Any(name) is long value ? value : (long?)null;

        internal double Real(string name) => OptionalReal(name) ?? 0;

        internal double? OptionalReal(string name) => Any(name) is double value ? value : (double?)OptionalWhole(name);

        internal bool Truth(string name) => OptionalTruth(name) ?? false;

        internal bool? OptionalTruth(string name) => Any(name) is bool value ? value : (bool?)null;

        internal T Shape<T>(string name, Func<JsonObject, T> from) where T : class => Any(name) is JsonObject data ? from(data) : null;

        internal List<T> ListOf<T>(string name, Func<object, T> from) => Any(name) is List<object> items ? ListOf(items, from) : null;

        internal static List<T> ListOf<T>(object items, Func<object, T> from) => ((List<object>)items).ConvertAll(item => from(item));

        internal static List<object> Listed<T>(List<T> items, Func<T, object> to) => items.ConvertAll(item => to(item));
    }
}
